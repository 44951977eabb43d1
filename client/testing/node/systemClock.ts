import type { Clock } from '../clock.ts'

/** The real clock. Its timers do not keep the process alive: the sockets do, as long as there are any. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (milliseconds, task) => {
    const timer = setTimeout(task, milliseconds)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
