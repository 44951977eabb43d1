interface Waiter {
  /** How much of what was accepted before it is still pending. */
  left: number
  readonly done: () => void
}

/** Who waits for what had been accepted by then to be durable; what is accepted later is not waited for. */
export class Settling {
  #waiters: Waiter[] = []

  get isEmpty(): boolean {
    return this.#waiters.length === 0
  }

  /** @param pending how many submissions wait for a commit */
  add(pending: number, done: () => void): void {
    this.#waiters.push({ left: pending, done })
  }

  /** So many have left the queue for a commit. */
  taken(count: number): void {
    for (const waiter of this.#waiters) waiter.left -= count
  }

  /** The queue was made anew, with all that was in a commit. */
  restart(pending: number): void {
    for (const waiter of this.#waiters) waiter.left = pending
  }

  /** To be called between two commits: what has left the queue is durable. */
  settle(): void {
    const settled = this.#waiters.filter(({ left }) => left <= 0)
    if (settled.length === 0) return
    this.#waiters = this.#waiters.filter(({ left }) => left > 0)
    for (const { done } of settled) done()
  }
}
