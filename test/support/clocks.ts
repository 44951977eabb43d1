import { type Clock, systemClock } from '../../server/clock.ts'

/**
 * `now` stands still until the test moves it: budgets do not refill, and rates are exact. Timers end when their time has
 * come by this clock or by the real one.
 */
export class StoppedClock implements Clock {
  #now = 1000
  readonly #timers = new Map<() => void, number>()

  advance(milliseconds: number): void {
    this.#now += milliseconds
    for (const [end, due] of this.#timers) if (due <= this.#now) end()
  }

  now(): number {
    return this.#now
  }

  endOfTurn(task: () => void): void {
    setImmediate(task)
  }

  after(milliseconds: number, task: () => void): () => void {
    const cancel = (): void => {
      this.#timers.delete(end)
      clearTimeout(timer)
    }
    const end = (): void => {
      cancel()
      task()
    }
    const timer = setTimeout(end, milliseconds).unref()
    this.#timers.set(end, this.#now + milliseconds)
    return cancel
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

/** The real one, on which everything that waits waits five times as long: for what must not come too early. */
export const patientClock: Clock = {
  ...systemClock,
  after: (milliseconds, call) => systemClock.after(milliseconds * 5, call),
}
