import type { PresenceState } from '../../shared/wire/awareness.ts'

const nobody: readonly number[] = []

/** What presence knows of one session: for whom it speaks, since when, and what it claims. */
export class Voice {
  /** When it joined, in the order of joining, telling and departing. */
  joined: number
  /** Client ids it has spoken for. */
  clients: readonly number[] = nobody
  /**
   * The newest state it has claimed for somebody else's id. One dispute each, so that echoes cause no storm of pings.
   */
  claim: PresenceState | null = null
  /** It has come back, and has to be told again who is here. */
  returned = false

  constructor(joined: number) {
    this.joined = joined
  }

  add(client: number): void {
    if (!this.clients.includes(client)) this.clients = [...this.clients, client]
  }
}
