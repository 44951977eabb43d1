import type { Doc } from 'yjs'
import { applyUpdate, encodeStateAsUpdate } from 'yjs'
import type { DocumentStore } from './environment.ts'
import { ProviderError } from './errors.ts'
import { attempt } from './report.ts'

/** The document on this device: read once, then written as it changes. */
export class DeviceCopy {
  readonly #doc: Doc
  readonly #store: Promise<DocumentStore>
  readonly #onFailure: (error: ProviderError) => void
  #isClosed = false
  /** The last write failed: the next one writes everything. */
  #isIncomplete = false

  constructor(doc: Doc, open: () => Promise<DocumentStore>, onFailure: (error: ProviderError) => void) {
    this.#doc = doc
    this.#store = open()
    this.#onFailure = onFailure
  }

  /**
   * Puts what is stored into the document; its transactions have this object as origin. Never rejects.
   *
   * @returns how many changes may never have reached the server
   */
  async load(): Promise<number> {
    const given = this.#doc.store.clients.size > 0 ? encodeStateAsUpdate(this.#doc) : null
    try {
      const { updates, unsaved } = await (await this.#store).load()
      if (this.#isClosed) return 0
      if (given !== null) this.#write(given, false)
      attempt(() => this.#doc.transact(() => this.#applyAll(updates), this))
      return unsaved
    } catch (error) {
      this.#fail('read the document', error)
      return 0
    }
  }

  /** @param isSaved the server is known to have everything, this update included */
  keep(update: Uint8Array, isSaved: boolean): void {
    if (!this.#isClosed) this.#write(this.#isIncomplete ? encodeStateAsUpdate(this.#doc) : update, isSaved)
  }

  /** The server has everything. */
  saved(): void {
    if (!this.#isClosed) this.#try('note what is saved', (store) => store.markSaved())
  }

  async clear(): Promise<void> {
    this.#isClosed = true
    await (await this.#store).clear()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#try('be closed', (store) => store.close())
  }

  #applyAll(updates: readonly Uint8Array[]): void {
    for (const update of updates) {
      try {
        applyUpdate(this.#doc, update, this)
      } catch (error) {
        this.#fail('read an edit', error)
      }
    }
  }

  #write(update: Uint8Array, isSaved: boolean): void {
    this.#isIncomplete = false
    this.#try('keep an edit', (store) => store.append(update, isSaved))
  }

  #try(what: string, work: (store: DocumentStore) => Promise<void>): void {
    this.#store.then(work).catch((error: unknown) => {
      this.#isIncomplete = true
      this.#fail(what, error)
    })
  }

  #fail(what: string, error: unknown): void {
    this.#onFailure(new ProviderError('DEVICE_STORE_FAILED', `the store on this device cannot ${what}`, error))
  }
}
