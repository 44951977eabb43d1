import type { Limits } from '../../shared/limits.ts'

/**
 * CPU that one session may cause by asking for state: a token bucket in milliseconds. Three bytes of SyncStep1 can cost
 * 30 ms of encoding and megabytes of answer, and a random state vector defeats every cache.
 */
export class SyncBudget {
  readonly #limits: Limits
  #left: number
  #at: number

  constructor(limits: Limits, now: number) {
    this.#limits = limits
    this.#left = limits.syncBurstMs
    this.#at = now
  }

  /** Milliseconds until the session may ask again; 0 = now. */
  wait(now: number): number {
    this.#refill(now)
    return this.#left > 0 ? 0 : Math.ceil((1000 * (1 - this.#left)) / this.#limits.syncRefillMsPerSecond)
  }

  spend(milliseconds: number): void {
    this.#left -= milliseconds
  }

  #refill(now: number): void {
    const gained = ((now - this.#at) / 1000) * this.#limits.syncRefillMsPerSecond
    this.#left = Math.min(this.#limits.syncBurstMs, this.#left + gained)
    this.#at = now
  }
}
