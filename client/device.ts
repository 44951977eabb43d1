import type { Doc } from 'yjs'
import { encodeStateAsUpdate } from 'yjs'
import type { DeviceCopy, DeviceListeners } from './deviceCopy.ts'
import type { ClientClock, DocumentStore } from './environment.ts'

/** Milliseconds others wait for what is stored. */
const PATIENCE_MS = 3_000

interface DeviceParts extends DeviceListeners {
  readonly doc: Doc
  readonly clock: ClientClock
  readonly open: () => Promise<DocumentStore>
  /** Also when reading has failed. */
  readonly read: () => void
}

/** This device, which keeps a copy of the document. Most applications want none: what it takes is loaded on demand. */
export class Device {
  readonly #copy: Promise<DeviceCopy>
  #endPatience!: () => void
  #loading: Promise<void> | null
  #isRead = false

  constructor({ doc, clock, open, read, ...on }: DeviceParts) {
    const given = doc.store.clients.size > 0 ? encodeStateAsUpdate(doc) : null
    const patience = new Promise<void>((resolve) => (this.#endPatience = resolve))
    const cancel = clock.after(PATIENCE_MS, this.#endPatience)
    this.#loading = patience.then(() => {
      cancel()
      this.#loading = null
    })
    this.#copy = Promise.all([import('./deviceCopy.ts'), open()]).then(
      ([code, store]) => new code.DeviceCopy(doc, store, on),
    )
    const loaded = this.#copy.then((copy) => copy.load(given, this))
    void loaded.catch(on.failed).then(() => {
      this.#isRead = true
      this.#endPatience()
      read()
    })
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
    await (await this.#copy).clear()
  }

  close(): void {
    this.#endPatience()
    this.tell((copy) => copy.close())
  }
}
