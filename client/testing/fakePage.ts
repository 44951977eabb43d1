import type { Page, PageEvent } from '../environment.ts'

/** A browser page that does what the test says. */
export class FakePage implements Page {
  #isOnline = true
  #isHidden = false
  #guards = 0
  readonly #listeners = new Set<(event: PageEvent) => void>()

  get isOnline(): boolean {
    return this.#isOnline
  }

  get isHidden(): boolean {
    return this.#isHidden
  }

  /** Whether closing it would ask the user first. */
  get asksBeforeClosing(): boolean {
    return this.#guards > 0
  }

  /** Listeners that were added and not removed: 0 when everything was cleaned up. */
  get listeners(): number {
    return this.#listeners.size
  }

  watch(listener: (event: PageEvent) => void): () => void {
    // Wrapped, so that a function that watches twice is called twice and leaves twice.
    const entry = (event: PageEvent): void => listener(event)
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  preventClose(): () => void {
    let isHeld = true
    this.#guards += 1
    return () => {
      if (isHeld) this.#guards -= 1
      isHeld = false
    }
  }

  /** Something happens to the page; it is online and visible at first. */
  fire(event: PageEvent): void {
    if (event === 'online' || event === 'offline') this.#isOnline = event === 'online'
    if (event === 'visible' || event === 'hidden') this.#isHidden = event === 'hidden'
    for (const listener of this.#listeners) listener(event)
  }
}
