import type { Doc } from 'yjs'
import { encodeStateAsUpdate } from 'yjs'
import type { DeviceCopy } from './deviceCopy.ts'
import type { ClientClock, DocumentStore } from './environment.ts'

/** Milliseconds others wait for what is stored. */
const PATIENCE_MS = 3_000
/** Milliseconds until what could not be loaded or opened is tried again. */
const RETRY_MS = 10_000

interface DeviceParts {
  readonly doc: Doc
  readonly clock: ClientClock
  readonly open: () => Promise<DocumentStore>
  /** What is stored is in the document, or cannot be read. `unsaved`: how many changes in it may never have reached the server. */
  readonly read: (unsaved: number) => void
  readonly failed: (error: unknown) => void
}

/** This device, which keeps a copy of the document. Most applications want none: what it takes is loaded on demand. */
export class Device {
  readonly #parts: DeviceParts
  #copy!: Promise<DeviceCopy>
  #endPatience!: () => void
  #loading: Promise<void> | null
  #isRead = false
  #isOver = false
  #cancel: (() => void) | null = null

  constructor(parts: DeviceParts) {
    this.#parts = parts
    const patience = new Promise<void>((resolve) => (this.#endPatience = resolve))
    const cancel = parts.clock.after(PATIENCE_MS, this.#endPatience)
    this.#loading = patience.then(() => {
      cancel()
      this.#loading = null
    })
    this.#open()
  }

  /** Resolves when what is stored has been read, cannot be read or takes too long, and is null then; never rejects. */
  get loading(): Promise<void> | null {
    return this.#loading
  }

  /** Nothing is to be expected from it any more. */
  get isRead(): boolean {
    return this.#isRead
  }

  /** Tells the copy, if there is one. */
  tell(message: (copy: DeviceCopy) => void): void {
    this.#copy.then(message, () => undefined)
  }

  async clear(): Promise<void> {
    this.#isOver = true
    this.#cancel?.()
    await (await this.#copy).clear()
  }

  close(): void {
    this.#isOver = true
    this.#cancel?.()
    this.#endPatience()
    this.tell((copy) => copy.close())
  }

  /** Its code may be out of reach, as that of an older release is; then another copy begins later, with all there is. */
  #open(): void {
    const { doc, clock, open, failed, read } = this.#parts
    const given = doc.store.clients.size > 0 ? encodeStateAsUpdate(doc) : null
    this.#copy = Promise.all([import('./deviceCopy.ts'), open()]).then(
      ([code, store]) => new code.DeviceCopy(doc, store, failed),
    )
    void this.#copy
      .then((copy) => copy.load(given, this))
      .catch((error: unknown) => {
        if (!this.#isOver) this.#cancel = clock.after(RETRY_MS, () => this.#open())
        failed(error)
        return 0
      })
      .then((unsaved) => {
        this.#isRead = true
        this.#endPatience()
        read(unsaved)
      })
  }
}
