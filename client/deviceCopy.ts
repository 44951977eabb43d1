import type { Doc } from 'yjs'
import { applyUpdate, encodeStateAsUpdate } from 'yjs'
import type { DocumentStore } from './environment.ts'
import { attempt } from './report.ts'

/** The document on this device: read once, then written as it changes. Its code is loaded on demand, by `Device`. */
export class DeviceCopy {
  readonly #doc: Doc
  readonly #store: DocumentStore
  readonly #failed: (error: unknown) => void
  #isClosed = false
  /** Before, nothing is noted as saved: that would speak of what has not been handed out yet as well. */
  #isLoaded = false
  /** Something failed: the next write writes everything. */
  #isIncomplete = false

  constructor(doc: Doc, store: DocumentStore, failed: (error: unknown) => void) {
    this.#doc = doc
    this.#store = store
    this.#failed = failed
  }

  /**
   * Puts what is stored into the document.
   *
   * @param given what was in the document before
   * @param origin of the transactions
   * @returns how many changes in the store may never have reached the server
   */
  async load(given: Uint8Array | null, origin: object): Promise<number> {
    try {
      const { updates, unsaved } = await this.#store.load()
      if (this.#isClosed) return 0
      if (given !== null) this.#write(this.#isIncomplete ? encodeStateAsUpdate(this.#doc) : given, false)
      attempt(() => this.#doc.transact(() => this.#applyAll(updates, origin), origin))
      this.#isLoaded = true
      return unsaved
    } catch (error) {
      this.#fail(error)
      return 0
    }
  }

  /** @param isSaved the server is known to have everything, this update included */
  keep(update: Uint8Array, isSaved: boolean): void {
    if (this.#isClosed) return
    this.#write(this.#isIncomplete ? encodeStateAsUpdate(this.#doc) : update, isSaved && this.#isLoaded)
  }

  /** The server has everything. */
  saved(): void {
    if (this.#isLoaded && !this.#isClosed) this.#try((store) => store.markSaved())
  }

  async clear(): Promise<void> {
    this.#isClosed = true
    await this.#store.clear()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#try((store) => store.close())
  }

  #applyAll(updates: readonly Uint8Array[], origin: object): void {
    for (const update of updates) {
      try {
        applyUpdate(this.#doc, update, origin)
      } catch (error) {
        this.#fail(error)
      }
    }
  }

  /** A store that another tab has removed, or the browser, is empty: what was not taken is tried once more with all there is. */
  #write(update: Uint8Array, isSaved: boolean): void {
    this.#isIncomplete = false
    this.#try(async (store) => {
      try {
        await store.append(update, isSaved)
      } catch {
        await store.append(encodeStateAsUpdate(this.#doc), false)
      }
    })
  }

  /** A store of the application's may throw as well. */
  #try(work: (store: DocumentStore) => Promise<void>): void {
    Promise.resolve(this.#store).then(work).catch(this.#fail)
  }

  readonly #fail = (error: unknown): void => {
    this.#isIncomplete = true
    this.#failed(error)
  }
}
