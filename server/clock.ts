/** Time, as the document pipeline sees it; injected, so that tests drive it. */
export interface Clock {
  /** Milliseconds on a monotonic scale with an arbitrary origin. Never wall-clock time. */
  now(): number
  /** Runs `task` once, at the end of the current turn of the event loop: after everything already read is handled. */
  endOfTurn(task: () => void): void
  /** Runs `task` once, `milliseconds` from now; the returned function cancels it. */
  after(milliseconds: number, task: () => void): () => void
}

/** The real clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => performance.now(),
  endOfTurn: (task) => {
    setImmediate(task)
  },
  after: (milliseconds, task) => {
    const timer = setTimeout(task, milliseconds)
    timer.unref()
    return () => {
      clearTimeout(timer)
    }
  },
}
