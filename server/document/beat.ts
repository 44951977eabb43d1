import type { Clock } from '../clock.ts'

/** One display frame at 60 Hz: a document that is busy at all is not relayed more often. Milliseconds. */
const SHORTEST_BEAT_MS = 16
/** Below what a person notices, with room for the write and the fan-out in the 50 ms an edit may take. Milliseconds. */
const LONGEST_BEAT_MS = 36
/** A beat is this many times as long as its own work takes, so that one document never fills a core. */
const REST_FACTOR = 30
type State = { readonly name: 'idle' } | { readonly name: 'waiting'; readonly cancel: () => void }

const idle: State = { name: 'idle' }

/**
 * When a document does its work. The first change in a quiet document is handled at the end of the current turn of the
 * event loop: no added wait. After that one beat passes between two rounds of work, and large rooms stretch the beat.
 */
export class Beat {
  readonly #clock: Clock
  readonly #cost: () => number
  readonly #work: () => boolean
  #state: State = idle
  #last = Number.NEGATIVE_INFINITY

  /**
   * @param cost milliseconds of CPU one round of work takes, however little there is to do
   * @param work returns false when it did nothing that a rest should follow
   */
  constructor(clock: Clock, cost: () => number, work: () => boolean) {
    this.#clock = clock
    this.#cost = cost
    this.#work = work
  }

  /** Sees to it that the work is done: now, if the last round is a beat ago, else then. */
  schedule(): void {
    if (this.#state.name === 'waiting') return
    const wait = this.#last + this.#length() - this.#clock.now()
    this.#state = { name: 'waiting', cancel: this.#start(wait) }
  }

  stop(): void {
    if (this.#state.name === 'waiting') this.#state.cancel()
    this.#state = idle
  }

  #length(): number {
    return Math.min(LONGEST_BEAT_MS, Math.max(SHORTEST_BEAT_MS, this.#cost() * REST_FACTOR))
  }

  #start(wait: number): () => void {
    if (wait > 0) return this.#clock.after(wait, this.#run)
    let cancelled = false
    this.#clock.endOfTurn(() => {
      if (!cancelled) this.#run()
    })
    return () => {
      cancelled = true
    }
  }

  readonly #run = (): void => {
    this.#state = idle
    const before = this.#last
    this.#last = this.#clock.now() // before the work, which may schedule the next round
    if (!this.#work()) this.#last = before
  }
}
