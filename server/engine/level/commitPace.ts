import type { Clock } from '../../clock.ts'

/**
 * How long the next batch gathers. With 1,000 rooms of two people the writes arrive one by one, a millisecond apart,
 * and each would pay for a batch and an fsync of its own. Measured there: 167 µs of CPU per edit with 3 ms, 133 with 6,
 * while an edit still reaches its reader in 3.3 ms (median).
 *
 * Gathering helps only when others are about to arrive. So it needs a busy server, many documents (one writer that
 * awaits each append would only be slowed down), and a batch that is still small.
 */
const GATHER_MS = 6
const BUSY_WRITES_PER_SECOND = 300
const BUSY_DOCUMENTS = 16
const FULL_BATCH = 64

/** Milliseconds over which the rate is measured. */
const WINDOW_MS = 100

export class CommitPace {
  readonly #clock: Clock
  readonly #documents = new Set<string>()
  #windowStart: number
  #writes = 0
  #busy = false
  #lastBegan = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
    this.#windowStart = clock.now()
  }

  arrived(document: string): void {
    this.#writes += 1
    if (this.#documents.size < BUSY_DOCUMENTS) this.#documents.add(document)
  }

  began(): void {
    this.#lastBegan = this.#clock.now()
  }

  /** Milliseconds from now until the next batch should start, given how many writes wait for it. */
  delay(waiting: number): number {
    const now = this.#clock.now()
    this.#measure(now)
    if (!this.#busy || waiting >= FULL_BATCH) return 0
    return Math.max(0, this.#lastBegan + GATHER_MS - now)
  }

  #measure(now: number): void {
    const elapsed = now - this.#windowStart
    if (elapsed < WINDOW_MS) return
    const rate = (this.#writes * 1000) / elapsed
    this.#busy = rate >= BUSY_WRITES_PER_SECOND && this.#documents.size >= BUSY_DOCUMENTS
    this.#windowStart = now
    this.#writes = 0
    this.#documents.clear()
  }
}
