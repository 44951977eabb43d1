import type { Clock } from '../../server/clock.ts'

/** Real timers, but `now` stands still until the test moves it: budgets do not refill, and rates are exact. */
export class StoppedClock implements Clock {
  #now = 1000

  advance(milliseconds: number): void {
    this.#now += milliseconds
  }

  now(): number {
    return this.#now
  }

  endOfTurn(task: () => void): void {
    setImmediate(task)
  }

  after(milliseconds: number, task: () => void): () => void {
    const timer = setTimeout(task, milliseconds).unref()
    return () => clearTimeout(timer)
  }
}

/** A clock that runs 20 times as fast as it should: for time-outs of seconds. */
export const hurriedClock: Clock = {
  now: () => performance.now() * 20,
  endOfTurn: (task) => void setImmediate(task),
  after: (milliseconds, task) => {
    const timer = setTimeout(task, milliseconds / 20).unref()
    return () => clearTimeout(timer)
  },
}
