import { diffUpdate, encodeStateVector, mergeUpdates, parseUpdateMeta } from 'yjs'
import type { ClientClock } from './environment.ts'

/** Milliseconds in which what another tab has told us should have come back from the server as well. */
const GRACE_MS = 2_000
/** Updates kept before they are merged into one. */
const MAX_KEPT = 256

/**
 * What other tabs have told us. They send it to the server themselves, and usually do; but one that is closed first
 * cannot, and then it is ours to send.
 */
export class TabDebts {
  readonly #clock: ClientClock
  readonly #pay: () => void
  #updates: Uint8Array[] = []
  /** How far the server has shown to know each client since. */
  #seen = new Map<number, number>()
  #cancel: (() => void) | null = null

  /** @param pay called when it is time to `take` */
  constructor(clock: ClientClock, pay: () => void) {
    this.#clock = clock
    this.#pay = pay
  }

  get isEmpty(): boolean {
    return this.#updates.length === 0
  }

  add(update: Uint8Array): void {
    this.#updates.push(update)
    if (this.#updates.length > MAX_KEPT) this.#updates = [mergeUpdates(this.#updates)]
    this.#cancel ??= this.#clock.after(GRACE_MS, () => {
      this.#cancel = null
      this.#pay()
    })
  }

  /** The server knows this update. */
  seen(update: Uint8Array): void {
    if (this.#updates.length === 0) return
    for (const [client, clock] of parseUpdateMeta(update).to) {
      this.#seen.set(client, Math.max(clock, this.#seen.get(client) ?? 0))
    }
  }

  /** What the server may not know; null when there is nothing. */
  take(): Uint8Array | null {
    if (this.#updates.length === 0) return null
    const missing = diffUpdate(mergeUpdates(this.#updates), encodeStateVector(this.#seen))
    this.clear()
    return missing.length > 2 ? missing : null // `00 00`: neither structs nor deletes
  }

  clear(): void {
    this.#updates = []
    this.#seen = new Map()
    this.#cancel?.()
    this.#cancel = null
  }
}
