/**
 * What a listener of the application has thrown is its own affair: it must not stop us in the middle of something, nor
 * vanish. Reported as if it had been thrown by an event handler, which it was.
 */
export function report(error: unknown): void {
  if (typeof reportError === 'function') return reportError(error)
  queueMicrotask(() => {
    throw error
  })
}

/** Runs what may call listeners of the application, and goes on whatever they do. */
export function attempt(task: () => void): void {
  try {
    task()
  } catch (error) {
    report(error)
  }
}
