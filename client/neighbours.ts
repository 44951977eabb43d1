import type { Tabs } from './environment.ts'

interface NeighbourOptions {
  /** Null: they are none of our business. */
  readonly tabs: Tabs | null
  readonly channel: string
  /** Whom not to tell what we have said ourselves. */
  readonly origin: object
  readonly hear: (message: Uint8Array) => void
}

/** The other tabs that have this document open. */
export class Neighbours {
  readonly #options: NeighbourOptions
  #leave: (() => void) | null = null

  constructor(options: NeighbourOptions) {
    this.#options = options
  }

  get isJoined(): boolean {
    return this.#leave !== null
  }

  /** Joins them, or does so once more. @param introduce what they are told first */
  join(introduce: () => readonly Uint8Array[]): void {
    const { tabs, channel, origin, hear } = this.#options
    if (tabs === null) return
    this.#leave ??= tabs.subscribe(channel, origin, hear)
    for (const message of introduce()) this.tell(message)
  }

  leave(): void {
    this.#leave?.()
    this.#leave = null
  }

  tell(message: Uint8Array): void {
    const { tabs, channel, origin } = this.#options
    if (this.#leave) tabs?.publish(channel, origin, message)
  }
}
