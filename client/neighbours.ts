import type { Tabs } from './environment.ts'

interface NeighbourOptions {
  /** Null: they are none of our business. */
  readonly tabs: Tabs | null
  /** Is not told what it has said itself. */
  readonly owner: { readonly bcChannel: string }
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
    const { tabs, owner, hear } = this.#options
    if (tabs === null) return
    this.#leave ??= tabs.subscribe(owner.bcChannel, owner, hear)
    for (const message of introduce()) this.tell(message)
  }

  leave(): void {
    this.#leave?.()
    this.#leave = null
  }

  tell(message: Uint8Array): void {
    const { tabs, owner } = this.#options
    if (this.isJoined) tabs?.publish(owner.bcChannel, owner, message)
  }
}
