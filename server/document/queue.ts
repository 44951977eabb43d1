import type { Submission } from './participant.ts'

/** What one transaction may merge; the rest is for the next beat. Bounds the stall: 8,192 updates take about 15 ms. */
const MAX_BATCH_UPDATES = 8192
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** A struct may be two bytes: 4 MiB of them would stall everybody for more than half a second. */
const MAX_BATCH_STRUCTS = 250_000

/** Updates that wait for the next commit, in order of arrival. */
export class Queue {
  #submissions: Submission[] = []
  #bytes = 0

  get length(): number {
    return this.#submissions.length
  }

  get bytes(): number {
    return this.#bytes
  }

  push(submission: Submission): void {
    this.#submissions.push(submission)
    this.#bytes += submission.update?.length ?? 0
  }

  /** What the next commit merges: at least one, at most `most` and what a transaction may hold. */
  take(most: number): Submission[] {
    let count = 0
    let bytes = 0
    let structs = 0
    for (const submission of this.#submissions) {
      const isFull = bytes >= MAX_BATCH_BYTES || structs >= MAX_BATCH_STRUCTS
      if (count >= Math.min(most, MAX_BATCH_UPDATES) || (count > 0 && isFull)) break
      count += 1
      bytes += submission.update?.length ?? 0
      structs += submission.structs
    }
    this.#bytes -= bytes
    return this.#remove(count)
  }

  takeAll(): Submission[] {
    this.#bytes = 0
    return this.#remove(this.#submissions.length)
  }

  #remove(count: number): Submission[] {
    if (count < this.#submissions.length) return this.#submissions.splice(0, count)
    const all = this.#submissions
    this.#submissions = []
    return all
  }
}
