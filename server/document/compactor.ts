import { toError } from '../../shared/errors.ts'
import type { Cursor, Engine, Snapshot } from '../engine/engine.ts'
import type { Observer } from '../observer.ts'

/** Replaces a document's log by a snapshot, one attempt at a time, and never in anybody's way. */
export class Compactor {
  readonly #name: string
  readonly #engine: Engine
  readonly #observer: Observer
  #base: Cursor | null
  #running: Promise<boolean> | null = null

  constructor(name: string, engine: Engine, observer: Observer, base: Cursor | null) {
    this.#name = name
    this.#engine = engine
    this.#observer = observer
    this.#base = base
  }

  get isRunning(): boolean {
    return this.#running !== null
  }

  /** Resolves when nothing is running. */
  get finished(): Promise<unknown> {
    return this.#running ?? Promise.resolve()
  }

  /** False when it did not succeed: everything still is in the log, and the next snapshot tries again. Never rejects. */
  run(upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    this.#running ??= this.#compact(upTo, snapshot).finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #compact(upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    const { length: bytes } = snapshot.state
    try {
      const done = await this.#engine.compact(this.#name, this.#base, upTo, snapshot)
      // Somebody else was first: what it left is the base to continue from.
      this.#base = done ? upTo : (await this.#engine.load(this.#name)).base
      this.#observer.observe({ type: 'compacted', document: this.#name, bytes, result: done ? 'done' : 'superseded' })
      return done
    } catch (error) {
      this.#observer.observe({ type: 'compactionFailed', document: this.#name, error: toError(error) })
      return false
    }
  }
}
