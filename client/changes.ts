import { diffUpdate, encodeStateVector } from 'yjs'
import type { Doc, Transaction } from 'yjs'
import { Device } from './device.ts'
import type { ClientClock, DocumentStore } from './environment.ts'
import { ProviderError } from './errors.ts'
import type { Neighbours } from './neighbours.ts'
import type { Session } from './session.ts'
import { TabDebts } from './tabDebts.ts'
import type { Uploads } from './uploads.ts'
import { syncUpdate } from './wire.ts'

interface ChangeOptions {
  readonly doc: Doc
  /** Of the transactions that apply what others say. */
  readonly owner: object
  readonly clock: ClientClock
  readonly uploads: Uploads
  readonly session: Session
  readonly neighbours: Neighbours
  /** Null: nothing is kept on this device. */
  readonly open: (() => Promise<DocumentStore>) | null
  readonly failure: (error: ProviderError) => void
}

/** What becomes of every change of the document: it goes to the server, to the other tabs and to this device. */
export class Changes {
  #device: Device | null = null
  readonly #options: ChangeOptions
  readonly #debts: TabDebts
  #isOver = false

  constructor(options: ChangeOptions) {
    this.#options = options
    this.#debts = new TabDebts(options.clock, () => this.payDebts())
  }

  get device(): Device | null {
    return this.#device
  }

  /** Looks at what there is already, and from now on at every change. */
  start(): void {
    const { doc, uploads, open } = this.#options
    if (doc.store.clients.size > 0) uploads.found(1)
    doc.on('beforeObserverCalls', this.#onTransaction)
    this.#mute(false) // before the application, which may ask in a listener of its own what is saved
    if (open) this.#device = this.#openDevice(open)
  }

  destroy(): void {
    this.#isOver = true
    this.#options.doc.off('beforeObserverCalls', this.#onTransaction)
    this.#mute(true)
    this.#debts.clear()
    this.#device?.close()
  }

  #openDevice(open: () => Promise<DocumentStore>): Device {
    const { session, uploads, failure } = this.#options
    return new Device({
      ...this.#options,
      open,
      failed: (error) => failure(new ProviderError('DEVICE_STORE_FAILED', 'no store', error)),
      // On a connection that did not wait for it, what was stored has been sent like any other edit.
      read: (unsaved) => uploads.found(session.isLive ? 0 : unsaved),
    })
  }

  /** Sends what other tabs have told us and the server has not. */
  payDebts(): void {
    const missing = this.#take()
    if (missing) this.#options.uploads.edit(missing)
    else this.confirmed()
  }

  /** The server is about to be sent everything it lacks, with what other tabs have told us. */
  sendingAll(): void {
    if (this.#take()) this.#options.uploads.found(1) // to be proved with the rest
  }

  /** Who may only read has no debts: what other tabs tell is not ours to save, and is no change that was made here. */
  #take(): Uint8Array | null {
    const missing = this.#debts.take()
    return this.#options.session.isWritable ? missing : null
  }

  /** The server has told us this update, which need not have been news. */
  received(update: Uint8Array): void {
    this.#mute(false)
    this.#debts.seen(update)
  }

  /** Another tab has told us this update, and some of it waits for what we lack: it will show as if the server had said it. */
  told(update: Uint8Array): void {
    this.#debts.add(diffUpdate(update, encodeStateVector(this.#options.doc))) // less what we have
  }

  /** The server has confirmed something. */
  confirmed(): void {
    if (this.#isSaved) this.#device?.tell((copy) => copy.saved())
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
    const { doc, owner, session } = this.#options
    const isKnown = transaction.origin === owner && session.source === 'server' && !this.#device
    this.#mute(isKnown && doc._observers.get('update')?.size === 1) // others need it, and come after us
  }

  #mute(isMuted: boolean): void {
    this.#options.doc[isMuted || this.#isOver ? 'off' : 'on']('update', this.#onUpdate)
  }

  readonly #onUpdate = (update: Uint8Array, from: unknown): void => {
    const { owner, session, uploads, neighbours } = this.#options
    const isStored = this.#device !== null && from === this.#device
    if (from !== owner) {
      if (!isStored || session.isLive) uploads.edit(update)
      if (!isStored && neighbours.isJoined) neighbours.tell(syncUpdate(update))
    } else if (session.source === 'tab') this.#debts.add(update)
    const isSaved = this.#isSaved
    if (!isStored) this.#device?.tell((copy) => copy.keep(update, isSaved))
  }
}
