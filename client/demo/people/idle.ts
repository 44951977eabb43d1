import type { Awareness } from 'y-protocols/awareness'

/** Milliseconds without a key, a pointer or a look at the page until someone counts as idle. */
const IDLE_AFTER_MS = 60_000
const SIGNS_OF_LIFE = ['keydown', 'pointerdown', 'pointermove', 'wheel'] as const

/** Tells the others when nobody is at this page, so that their list can fade this person. */
export function tellWhenIdle(awareness: Awareness): void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const set = (isIdle: boolean): void => {
    if (awareness.getLocalState()?.['idle'] !== isIdle) awareness.setLocalStateField('idle', isIdle)
  }
  const wake = (): void => {
    clearTimeout(timer)
    if (document.visibilityState === 'hidden') return set(true)
    timer = setTimeout(() => set(true), IDLE_AFTER_MS)
    set(false)
  }
  for (const sign of SIGNS_OF_LIFE) addEventListener(sign, wake, { passive: true, capture: true })
  document.addEventListener('visibilitychange', wake)
  wake()
}
