import type { Limits } from '../../shared/limits.ts'

/** A token bucket whose debt may exceed it: what something costs is often known only afterwards. */
export class Budget {
  readonly #burst: number
  readonly #perSecond: number
  #left: number
  #at: number

  /** @param now `Clock.now()`, in milliseconds, as everywhere here */
  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#left = burst
    this.#at = now
  }

  /** True when nothing was left after the last spending; what came since is not counted. Asks no clock. */
  get isSpent(): boolean {
    return this.#left <= 0
  }

  /** Milliseconds until more may be spent; 0 = now. */
  wait(now: number): number {
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    return this.#left > 0 ? 0 : Math.ceil((1000 * (1 - this.#left)) / this.#perSecond)
  }

  spend(amount: number): void {
    this.#left -= amount
  }
}

/** What one socket may cost. Shared by its sessions, or a socket with 256 of them would have 256 budgets. */
export interface Budgets {
  /**
   * Milliseconds of CPU for asking for state. Three bytes of SyncStep1 can cost 30 ms of encoding and megabytes of
   * answer, and a random state vector defeats every cache.
   */
  readonly sync: Budget
  /** Structs and deleted ranges of updates: what Yjs' work grows with, two bytes each on the wire. */
  readonly structs: Budget
}

export function createBudgets(limits: Limits, now: number): Budgets {
  return {
    sync: new Budget(limits.syncBurstMs, limits.syncRefillMsPerSecond, now),
    structs: new Budget(limits.maxStructsPerUpdate, limits.maxStructsPerSecond, now),
  }
}
