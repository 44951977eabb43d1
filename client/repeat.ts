import type { ClientClock } from './environment.ts'

/** Runs `task` every so many milliseconds, until the returned function is called. */
export function repeat(clock: ClientClock, milliseconds: number, task: () => void): () => void {
  const run = (): void => {
    task()
    cancel = clock.after(milliseconds, run)
  }
  let cancel = clock.after(milliseconds, run)
  return () => cancel()
}
