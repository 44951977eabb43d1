import { setTimeout as delay } from 'node:timers/promises'

export interface Due {
  /** Milliseconds after the start. */
  readonly at: number
  readonly run: () => void
}

export interface Played {
  /** The most an action was late, in milliseconds: a generator that cannot keep up shows here. */
  readonly latest: number
}

/** Runs actions at their times, from the start `from` (`performance.now()` scale). Sorts `due` in place. */
export async function play(due: Due[], from: number): Promise<Played> {
  due.sort((a, b) => a.at - b.at)
  let latest = 0
  let next = 0
  while (next < due.length) {
    const now = performance.now() - from
    for (let one = due[next]; one !== undefined && one.at <= now; one = due[++next]) {
      latest = Math.max(latest, now - one.at)
      one.run()
    }
    await delay(1)
  }
  return { latest }
}

/** Waits until `done`, or until nothing has been received for `quietMs`, or until `limitMs` have passed. */
export async function untilQuiet(lastTime: () => number, quietMs: number, limitMs = 60_000): Promise<void> {
  const start = performance.now()
  while (performance.now() - Math.max(start, lastTime()) < quietMs && performance.now() - start < limitMs)
    await delay(50)
}

/** Polls `done` every 5 ms; false when `limitMs` have passed first. */
export async function until(done: () => boolean, limitMs: number): Promise<boolean> {
  const start = performance.now()
  while (!done()) {
    if (performance.now() - start > limitMs) return false
    await delay(5)
  }
  return true
}
