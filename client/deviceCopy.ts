import type { Doc } from 'yjs'
import { applyUpdate, encodeStateAsUpdate } from 'yjs'
import type { ClientClock, DocumentStore } from './environment.ts'
import { ProviderError } from './errors.ts'
import { attempt } from './report.ts'

/** Milliseconds others wait for what is stored. */
const PATIENCE_MS = 3_000

interface Listeners {
  failure(error: ProviderError): void
  /** What is stored is in the document. `unsaved`: how many changes in it may never have reached the server. */
  loaded(unsaved: number): void
}

/** The document on this device: read once, then written as it changes. */
export class DeviceCopy {
  readonly #doc: Doc
  readonly #clock: ClientClock
  readonly #store: Promise<DocumentStore>
  readonly #on: Listeners
  #isClosed = false
  /** Before, nothing is noted as saved: that would speak of what has not been handed out yet as well. */
  #isLoaded = false
  /** Something failed: the next write writes everything. */
  #isIncomplete = false
  #loading: Promise<void> | null = null
  #endPatience: (() => void) | null = null

  constructor(doc: Doc, clock: ClientClock, open: () => Promise<DocumentStore>, on: Listeners) {
    this.#doc = doc
    this.#clock = clock
    this.#store = open()
    this.#on = on
  }

  /** Puts what is stored into the document; its transactions have this object as origin. */
  load(): void {
    const patience = new Promise<void>((resolve) => {
      const cancel = this.#clock.after(PATIENCE_MS, resolve)
      this.#endPatience = () => {
        cancel()
        resolve()
      }
    })
    this.#loading = patience.then(() => void (this.#loading = null))
    void this.#read().then(() => this.#endPatience?.())
  }

  /** Resolves when that is done, has failed or has taken too long, and is null then and before; never rejects. */
  get loading(): Promise<void> | null {
    return this.#loading
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
    await (await this.#store).clear()
  }

  close(): void {
    this.#endPatience?.()
    if (this.#isClosed) return
    this.#isClosed = true
    this.#try((store) => store.close())
  }

  async #read(): Promise<void> {
    const given = this.#doc.store.clients.size > 0 ? encodeStateAsUpdate(this.#doc) : null
    try {
      const { updates, unsaved } = await (await this.#store).load()
      if (this.#isClosed) return
      if (given !== null) this.#write(given, false)
      attempt(() => this.#doc.transact(() => this.#applyAll(updates), this))
      this.#isLoaded = true
      this.#on.loaded(unsaved)
    } catch (error) {
      this.#fail(error)
    }
  }

  #applyAll(updates: readonly Uint8Array[]): void {
    for (const update of updates) {
      try {
        applyUpdate(this.#doc, update, this)
      } catch (error) {
        this.#fail(error)
      }
    }
  }

  #write(update: Uint8Array, isSaved: boolean): void {
    this.#isIncomplete = false
    this.#try((store) => store.append(update, isSaved))
  }

  #try(work: (store: DocumentStore) => Promise<void>): void {
    this.#store.then(work).catch(this.#fail)
  }

  readonly #fail = (error: unknown): void => {
    this.#isIncomplete = true
    this.#on.failure(new ProviderError('DEVICE_STORE_FAILED', 'device store failed', error))
  }
}
