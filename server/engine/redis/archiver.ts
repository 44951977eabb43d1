import { StorageError, toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { ArchivedDocuments } from './archivedDocuments.ts'
import type { DocumentStore } from './documentStore.ts'
import type { KeySpace } from './keys.ts'
import type { NameIndex } from './nameIndex.ts'

/** Milliseconds between the end of a walk and the next: a part of how long a document must be idle, within bounds. */
const WALKS_PER_IDLE = 4
const SHORTEST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 600_000
/** Names looked at together, the pause after that, and documents moved at once: nobody waits, and others do. */
const NAMES_PER_LOOK = 200
const LOOK_PAUSE_MS = 20
const MOVES_AT_ONCE = 2
/** Whatever is asked for: parts that a document has outgrown are dropped then, and Redis may forget the last seconds. */
const SHORTEST_IDLE_SECONDS = 5

export interface ArchiverOptions {
  readonly clock: Clock
  readonly store: DocumentStore
  readonly names: NameIndex
  readonly keySpace: KeySpace
  readonly documents: ArchivedDocuments
  /** How long nobody must have used a document. */
  readonly idleSeconds: number
  /** A walk ended before its time; the next one comes all the same. */
  readonly onFailed: (error: Error) => void
}

/**
 * Walks over all documents, again and again, and moves the cold ones to the archive. Every node does; at random times, so
 * that they seldom meet, and when they do, one of them finds that the document has just been touched.
 */
export class Archiver {
  readonly #options: ArchiverOptions
  #cancel: (() => void) | null
  #walk: Promise<void> = Promise.resolve()
  #endPause: (() => void) | null = null

  constructor(options: ArchiverOptions) {
    this.#options = options
    this.#cancel = this.#later()
  }

  /** Resolves when the move that is under way has ended. */
  close(): Promise<void> {
    this.#cancel?.()
    this.#cancel = null
    this.#endPause?.()
    return this.#walk
  }

  #later(): () => void {
    const pause = (this.#options.idleSeconds * 1000) / WALKS_PER_IDLE
    const bounded = Math.min(Math.max(pause, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS)
    return this.#options.clock.after(bounded * (0.5 + Math.random()), () => {
      this.#walk = this.#walkOnce()
    })
  }

  async #walkOnce(): Promise<void> {
    try {
      await this.#walkNames()
    } catch (error) {
      if (this.#cancel !== null) this.#options.onFailed(toError(error))
    }
    if (this.#cancel !== null) this.#cancel = this.#later()
  }

  async #walkNames(): Promise<void> {
    const { names, store, keySpace } = this.#options
    const idleSeconds = Math.max(this.#options.idleSeconds, SHORTEST_IDLE_SECONDS)
    let after: string | undefined
    while (this.#cancel !== null) {
      const page = await names.page({ limit: NAMES_PER_LOOK, ...(after === undefined ? {} : { after }) })
      const cold = await Promise.all(page.map((name) => store.isCold(keySpace.of(name), idleSeconds)))
      await this.#move(page.filter((_, index) => cold[index]))
      after = page.at(-1)
      if (page.length < NAMES_PER_LOOK) return
      await this.#pause()
    }
  }

  async #move(cold: readonly string[]): Promise<void> {
    const waiting = [...cold]
    const move = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined && this.#cancel !== null; name = waiting.shift()) {
        await this.#moveOne(name)
      }
    }
    await Promise.all(Array.from({ length: MOVES_AT_ONCE }, move))
  }

  /** What is wrong with one document does not keep the others here; a storage that does not answer does. */
  async #moveOne(name: string): Promise<void> {
    try {
      await this.#options.documents.archive(this.#options.keySpace.of(name))
    } catch (thrown) {
      const error = toError(thrown)
      if (error instanceof StorageError && error.code === 'STORAGE_UNAVAILABLE') throw error
      this.#options.onFailed(error)
    }
  }

  async #pause(): Promise<void> {
    if (this.#cancel === null) return
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(LOOK_PAUSE_MS, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
    this.#endPause = null
  }
}
