import type { ClientClock } from './environment.ts'

/** Runs `task` once, `milliseconds` from now; 0 or less: at the end of this turn. The returned function cancels it. */
export function later(clock: ClientClock, milliseconds: number, task: () => void): () => void {
  if (milliseconds > 0) return clock.after(milliseconds, task)
  let isCancelled = false
  clock.endOfTurn(() => {
    if (!isCancelled) task()
  })
  return () => {
    isCancelled = true
  }
}
