import type { ClientClock } from '../environment.ts'

interface Timer {
  readonly due: number
  readonly order: number
  readonly task: () => void
}

/** Time that stands still until a test moves it. Nothing runs by itself, so every history can be replayed exactly. */
export class FakeClock implements ClientClock {
  #now = 0
  #order = 0
  #turn: (() => void)[] = []
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  endOfTurn(task: () => void): void {
    this.#turn.push(task)
  }

  after(milliseconds: number, task: () => void): () => void {
    const timer: Timer = { due: this.#now + Math.max(0, milliseconds), order: this.#order++, task }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** Timers that have been set and neither ran nor were cancelled: 0 when everything was cleaned up. */
  get timers(): number {
    return this.#timers.size
  }

  /** Runs end-of-turn tasks until there are none left, those they add included. */
  flush(): void {
    while (this.#turn.length > 0) {
      const tasks = this.#turn
      this.#turn = []
      for (const task of tasks) task()
    }
  }

  /** Moves time on and runs what becomes due, in order of due time, each followed by the end of its turn. */
  advance(milliseconds: number): void {
    const until = this.#now + milliseconds
    this.flush()
    for (let timer = this.#next(until); timer !== null; timer = this.#next(until)) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.due)
      timer.task()
      this.flush()
    }
    this.#now = until
  }

  /** As `advance`, but lets promises settle after every timer, for code that awaits between timers. */
  async advanceAsync(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds
    await this.settle()
    for (let timer = this.#next(until); timer !== null; timer = this.#next(until)) {
      this.#timers.delete(timer)
      this.#now = Math.max(this.#now, timer.due)
      timer.task()
      await this.settle()
    }
    this.#now = until
  }

  /** Lets promises and end-of-turn tasks run until neither adds another. Uses no time. */
  async settle(): Promise<void> {
    // Bounded: chains of a few dozen awaits are the longest in the pipeline, and one that never ends must not hang here.
    for (let round = 0; round < 50; round++) {
      await Promise.resolve()
      this.flush()
    }
  }

  #next(until: number): Timer | null {
    let next: Timer | null = null
    for (const timer of this.#timers) {
      if (timer.due <= until && (next === null || isBefore(timer, next))) next = timer
    }
    return next
  }
}

function isBefore(left: Timer, right: Timer): boolean {
  return left.due === right.due ? left.order < right.order : left.due < right.due
}
