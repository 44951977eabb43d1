/** How many seconds' worth of pings may come at once. */
const BURST_SECONDS = 5

/** A token bucket: answering a ping costs more than sending one. */
export class PingBudget {
  readonly #perSecond: number
  #left: number
  #at: number

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#left = perSecond * BURST_SECONDS
    this.#at = now
  }

  /** False when there have been too many. */
  take(now: number): boolean {
    const refilled = this.#left + ((now - this.#at) / 1000) * this.#perSecond
    this.#left = Math.min(this.#perSecond * BURST_SECONDS, refilled) - 1
    this.#at = now
    return this.#left >= 0
  }
}
