import type { Limits } from '../../shared/limits.ts'

/**
 * CPU that one socket may cause by asking for state: a token bucket in milliseconds. Three bytes of SyncStep1 can cost
 * 30 ms of encoding and megabytes of answer, and a random state vector defeats every cache. All documents of a socket
 * share it, or a socket with 256 sessions of one document would have 256 budgets.
 */
export class SyncBudget {
  readonly #limits: Limits
  #left: number
  #at: number | null = null

  constructor(limits: Limits) {
    this.#limits = limits
    this.#left = limits.syncBurstMs
  }

  /** Milliseconds until the socket may ask again; 0 = now. */
  wait(now: number): number {
    this.#refill(now)
    return this.#left > 0 ? 0 : Math.ceil((1000 * (1 - this.#left)) / this.#limits.syncRefillMsPerSecond)
  }

  spend(milliseconds: number): void {
    this.#left -= milliseconds
  }

  #refill(now: number): void {
    const gained = ((now - (this.#at ?? now)) / 1000) * this.#limits.syncRefillMsPerSecond
    this.#left = Math.min(this.#limits.syncBurstMs, this.#left + gained)
    this.#at = now
  }
}
