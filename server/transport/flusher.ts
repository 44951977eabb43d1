interface Flushable {
  flush(now: number): void
}

/**
 * Flushes everything to which something was added while one event was handled: a socket's data, a commit that became
 * durable, a timer. A microtask, so that whatever else became durable in the same write is in, and no turn is waited.
 */
export class Flusher {
  readonly #now: () => number
  #dirty: Flushable[] = []

  constructor(now: () => number) {
    this.#now = now
  }

  add(target: Flushable): void {
    if (this.#dirty.length === 0) queueMicrotask(this.#flush)
    this.#dirty.push(target)
  }

  readonly #flush = (): void => {
    const dirty = this.#dirty
    this.#dirty = []
    const now = this.#now()
    for (const target of dirty) target.flush(now)
  }
}
