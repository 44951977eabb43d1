import type { Clock } from '../clock.ts'

interface Flushable {
  flush(now: number): void
}

/** Flushes, at the end of each turn of the event loop, everything to which something was added in that turn. */
export class Flusher {
  readonly #clock: Clock
  #dirty: Flushable[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(target: Flushable): void {
    if (this.#dirty.length === 0) this.#clock.endOfTurn(this.#flush)
    this.#dirty.push(target)
  }

  readonly #flush = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    const now = this.#clock.now()
    for (const target of dirty) target.flush(now)
  }
}
