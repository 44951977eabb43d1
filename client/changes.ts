import type { Doc, Transaction } from 'yjs'
import { DeviceCopy } from './deviceCopy.ts'
import type { ClientClock, StoreOpener } from './environment.ts'
import type { ProviderError } from './errors.ts'
import type { Neighbours } from './neighbours.ts'
import type { Session } from './session.ts'
import { TabDebts } from './tabDebts.ts'
import type { Uploads } from './uploads.ts'
import { syncUpdate } from './wire.ts'

interface ChangeOptions {
  readonly doc: Doc
  /** Of the transactions that apply what others say. */
  readonly origin: object
  readonly clock: ClientClock
  readonly uploads: Uploads
  readonly session: Session
  readonly neighbours: Neighbours
  /** Null: nothing is kept on this device. */
  readonly open: (() => ReturnType<StoreOpener>) | null
  readonly failure: (error: ProviderError) => void
}

/** What becomes of every change of the document: it goes to the server, to the other tabs and to this device. */
export class Changes {
  readonly device: DeviceCopy | null
  readonly #options: ChangeOptions
  readonly #debts: TabDebts
  #isOver = false

  constructor(options: ChangeOptions) {
    const { doc, clock, open, failure, session, uploads } = options
    this.#options = options
    this.#debts = new TabDebts(clock, () => this.payDebts())
    // On a connection that did not wait for it, what was stored has been sent like any other edit.
    const loaded = (unsaved: number): void => void (session.isLive || uploads.found(unsaved))
    this.device = open === null ? null : new DeviceCopy(doc, clock, async () => open(), { failure, loaded })
  }

  /** Looks at what there is already, and from now on at every change. */
  start(): void {
    const { doc, uploads } = this.#options
    if (doc.store.clients.size > 0) uploads.found(1)
    doc.on('beforeObserverCalls', this.#onTransaction)
    this.#mute(false) // before the application, which may ask in a listener of its own what is saved
    this.device?.load()
  }

  destroy(): void {
    this.#isOver = true
    this.#options.doc.off('beforeObserverCalls', this.#onTransaction)
    this.#mute(true)
    this.#debts.clear()
    this.device?.close()
  }

  /** Sends what other tabs have told us and the server has not. */
  payDebts(): void {
    const missing = this.#debts.take()
    if (missing !== null) this.#options.uploads.edit(missing)
  }

  /** The server is about to be sent everything it lacks, with what other tabs have told us. */
  sendingAll(): void {
    if (this.#debts.take() !== null) this.#options.uploads.found(1) // to be proved with the rest
  }

  /** The server has told us this update, which need not have been news. */
  received(update: Uint8Array): void {
    this.#mute(false)
    this.#debts.seen(update)
  }

  /** The server has confirmed something. */
  confirmed(): void {
    if (this.#isSaved) this.device?.saved()
  }

  /** Whether the server is known to have everything that is in the document. */
  get #isSaved(): boolean {
    return this.#options.uploads.isSaved && this.#debts.isEmpty
  }

  /**
   * Yjs encodes a transaction for whoever listens, which costs nearly what applying it does, and nobody needs what the server
   * has said once more. What observers of the application make of it is a transaction of its own.
   */
  readonly #onTransaction = (transaction: Transaction): void => {
    const { doc, origin, session } = this.#options
    const isKnown = transaction.origin === origin && session.source === 'server' && this.device === null
    this.#mute(isKnown && doc._observers.get('update')?.size === 1) // others need it, and come after us
  }

  #mute(isMuted: boolean): void {
    this.#options.doc[isMuted || this.#isOver ? 'off' : 'on']('update', this.#onUpdate)
  }

  readonly #onUpdate = (update: Uint8Array, from: unknown): void => {
    const { origin, session, uploads, neighbours } = this.#options
    const isStored = this.device !== null && from === this.device
    if (from !== origin) {
      if (!isStored || session.isLive) uploads.edit(update)
      if (!isStored && neighbours.isJoined) neighbours.tell(syncUpdate(update))
    } else if (session.source === 'tab') this.#debts.add(update)
    if (!isStored) this.device?.keep(update, this.#isSaved)
  }
}
