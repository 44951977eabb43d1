import { toScriptoriumError } from '../../shared/errors.ts'
import type { Clock } from '../clock.ts'
import type { Participant } from './participant.ts'

/** Milliseconds one round of answering may take, then others have their turn: 500 may come back at once (C115). */
const MAX_SERVE_MS = 15
/** Milliseconds after which a participant whose budget is spent is served again. */
const SERVE_AGAIN_MS = 100

/** Who waits for memory and log to agree: for an answer, an acknowledgement, a proof. */
export class Waitlist {
  readonly #clock: Clock
  readonly #schedule: () => void
  readonly #waiting = new Set<Participant>()
  #retry: (() => void) | null = null

  /** @param schedule sees to it that `serve` is called again */
  constructor(clock: Clock, schedule: () => void) {
    this.#clock = clock
    this.#schedule = schedule
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  add(participant: Participant): void {
    this.#waiting.add(participant)
  }

  delete(participant: Participant): void {
    this.#waiting.delete(participant)
  }

  /** To be called between two commits only. */
  serve(): void {
    const end = this.#clock.now() + MAX_SERVE_MS
    let later = false
    for (const participant of this.#waiting) {
      if (this.#clock.now() > end) return this.#schedule()
      const outcome = serve(participant)
      if (outcome === 'done') this.#waiting.delete(participant)
      later ||= outcome === 'later'
    }
    if (later) this.#serveAgain()
  }

  stop(): void {
    this.#retry?.()
    this.#retry = null
  }

  #serveAgain(): void {
    this.#retry ??= this.#clock.after(SERVE_AGAIN_MS, () => {
      this.#retry = null
      this.#schedule()
    })
  }
}

/** What goes wrong with one participant is no matter of the others. */
function serve(participant: Participant): ReturnType<Participant['serve']> {
  try {
    return participant.serve()
  } catch (error) {
    participant.fail(toScriptoriumError(error))
    return 'done'
  }
}
