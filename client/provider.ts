import { ObservableV2 } from 'lib0/observable'
import { encodeQueryParams } from 'lib0/url'
import { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import type { ProviderEvents } from './events.ts'
import { completeOptions } from './options.ts'
import type { ProviderOptions } from './options.ts'
import { attempt } from './report.ts'
import { Room } from './room.ts'
import type { MessageHandler } from './roomOwner.ts'
import type { AckLevel, LinkStatus, Scope, Stats, SyncStatus } from './status.ts'
import { systemEnvironment } from './systemEnvironment.ts'

/** Close codes that mirror HTTP's 4xx: trying again changes nothing (PROTOCOL.md, "Close codes"). */
const FINAL_HUNDREDS = 44
/** But for this one: Hocuspocus servers say so of a client that was not heard for a while, such as a laptop that slept. */
const TIMED_OUT = 4408

export interface WaitOptions {
  /** Gives up waiting, not saving: the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

function shouldReconnectByCode(event: CloseEvent): boolean {
  // Not `<` and `>`: there are close events without a code (React Native).
  return event.code === TIMED_OUT || Math.trunc(event.code / 100) !== FINAL_HUNDREDS
}

/**
 * Keeps a document in sync with a server, and says what is saved there. Takes the place of y-websocket's class of the same
 * name: same constructor, options, events and fields. The document is named by the path, so slashes are part of the name.
 *
 * @example
 *   const doc = new Y.Doc()
 *   const provider = new WebsocketProvider('wss://example.org', 'notes', doc)
 *   doc.getText('text').insert(0, 'hello')
 *   await provider.whenSaved()
 */
export class WebsocketProvider extends ObservableV2<ProviderEvents<WebsocketProvider>> {
  readonly serverUrl: string
  readonly roomname: string
  readonly doc: Doc
  readonly awareness: Awareness
  /** Name of the channel that joins the tabs of one browser. */
  readonly bcChannel: string
  /** WebSocket subprotocols; what is changed here holds for the next connection. */
  protocols: string[]
  readonly disableBc: boolean
  /** Query parameters; what is changed here holds for the next connection. */
  params: Record<string, string>
  maxBackoffTime: number
  shouldReconnect: (event: CloseEvent, provider: WebsocketProvider) => boolean
  /** Whether to connect again when the connection is lost. Set by `connect` and `disconnect`. */
  shouldConnect: boolean
  /** By message number: what stands here is called instead of the provider's own reader. 0 to 3 hold the latter. */
  readonly messageHandlers: MessageHandler<WebsocketProvider>[]
  readonly #room: Room<WebsocketProvider>
  readonly #ownsAwareness: boolean

  /**
   * @param serverUrl `ws://` or `wss://`, without the document
   * @param roomname the document; not escaped, as in y-websocket
   * @throws InvalidOptionError
   */
  constructor(serverUrl: string, roomname: string, doc: Doc, options: ProviderOptions<WebsocketProvider> = {}) {
    super()
    const environment = options.environment ?? systemEnvironment
    const complete = completeOptions(options, environment)
    this.serverUrl = serverUrl.replace(/\/+$/, '')
    this.roomname = roomname
    this.doc = doc
    this.#ownsAwareness = options.awareness === undefined
    this.awareness = options.awareness ?? new Awareness(doc)
    this.bcChannel = `${this.serverUrl}/${roomname}`
    this.protocols = complete.protocols
    this.disableBc = complete.disableBc
    this.params = complete.params
    this.maxBackoffTime = complete.maxBackoffTime
    this.shouldReconnect = options.shouldReconnect ?? shouldReconnectByCode
    this.shouldConnect = complete.connect
    this.#room = new Room<WebsocketProvider>(this, complete, environment)
    const { handle } = this.#room
    this.messageHandlers = [handle, handle, handle, handle]
    doc.on('destroy', this.#onDocDestroy)
    this.#room.start()
    if (this.shouldConnect) this.connect()
  }

  /** The address without what is added to it for each connection. */
  get url(): string {
    const query = encodeQueryParams(this.params)
    return `${this.serverUrl}/${this.roomname}${query && `?${query}`}`
  }

  /** With `multiplex`, a part of the shared socket which has only what this class needs of one. */
  get ws(): WebSocket | null {
    return this.#room.link.socket as WebSocket | null
  }

  get wsconnected(): boolean {
    return this.linkStatus.name === 'open'
  }

  get wsconnecting(): boolean {
    return this.linkStatus.name === 'connecting'
  }

  get wsUnsuccessfulReconnects(): number {
    return this.#room.link.failures
  }

  /** Milliseconds since 1970; 0 before. */
  get wsLastMessageReceived(): number {
    return this.#room.link.heardAt === null ? 0 : Date.now() - this.syncStatus.lastMessageAge
  }

  get bcconnected(): boolean {
    return this.#room.neighbours.isJoined
  }

  /** The document holds what the server has. */
  get synced(): boolean {
    return this.#room.progress.isSynced
  }

  /** For message handlers of the application that do the provider's own work, as with y-websocket. */
  set synced(isSynced: boolean) {
    if (isSynced) this.#room.onSynced()
    else this.#room.progress.setSynced(false)
  }

  /** Resolves when the document holds what the server has; on a later connection, again. Rejects when that is denied. */
  get whenSynced(): Promise<void> {
    return this.#room.progress.whenSynced()
  }

  /** Edits, made here, that are not known to be saved; see `ackLevel`. */
  get unsavedChanges(): number {
    const { made, saved } = this.#room.uploads
    return made - saved
  }

  /** Whether there are any; the name is that of Hocuspocus' provider. */
  get hasUnsyncedChanges(): boolean {
    return this.unsavedChanges > 0
  }

  /** What "saved" means on this connection, or on the last one. */
  get ackLevel(): AckLevel {
    return this.#room.session.level
  }

  get scope(): Scope {
    return this.#room.progress.scope
  }

  /** Milliseconds a message took to the server and back, last measured; null before. */
  get rtt(): number | null {
    return this.#room.session.roundTrip
  }

  get linkStatus(): LinkStatus {
    return this.#room.link.status
  }

  get stats(): Stats {
    return { ...this.#room.traffic, savedAfter: this.#room.progress.savedAfter }
  }

  get syncStatus(): SyncStatus {
    return this.#room.progress.syncStatus
  }

  /**
   * Resolves when every edit made before the call is saved: on the server's disk if `ackLevel` is 'durable', in its hands
   * if it is 'received'. Waits through lost connections.
   *
   * @throws AccessDeniedError, ReadOnlyError, DestroyedError, or the signal's reason
   */
  whenSaved({ signal }: WaitOptions = {}): Promise<void> {
    return this.#room.whenSaved(signal)
  }

  /** Connects; at once when it was waiting for the next attempt. */
  connect(): void {
    this.shouldConnect = true
    this.#room.connect()
  }

  disconnect(): void {
    this.shouldConnect = false
    this.#room.disconnect()
  }

  connectBc(): void {
    this.#room.connectTabs()
  }

  disconnectBc(): void {
    this.#room.disconnectTabs()
  }

  /** Sends what has been gathered so far now. */
  flush(): void {
    this.#room.uploads.flush()
  }

  /** Removes the document from this device and keeps it there no longer. */
  async clearPersistence(): Promise<void> {
    await this.#room.changes.device?.clear()
  }

  override emit<Name extends keyof ProviderEvents<WebsocketProvider>>(
    name: Name,
    args: Parameters<ProviderEvents<WebsocketProvider>[Name]>,
  ): void {
    if (this._observers.has(name)) attempt(() => super.emit(name, args)) // for nobody, lib0 would still make lists
  }

  override destroy(): void {
    if (this.linkStatus.name === 'closed') return
    this.shouldConnect = false
    this.#room.destroy()
    this.doc.off('destroy', this.#onDocDestroy)
    if (this.#ownsAwareness) attempt(() => this.awareness.destroy())
    super.destroy()
  }

  readonly #onDocDestroy = (): void => this.destroy()
}
