import type { Decoder } from 'lib0/decoding'
import type { Encoder } from 'lib0/encoding'
import type { ObservableV2 } from 'lib0/observable'
import { encodeQueryParams } from 'lib0/url'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import { HELLO_PARAMETER, HELLO_VERSION } from '../shared/wire/hello.ts'
import { DeviceCopy } from './deviceCopy.ts'
import type { Environment, PageEvent, SocketClass, SocketLike, Tabs } from './environment.ts'
import { AccessDeniedError, DestroyedError, ProviderError } from './errors.ts'
import type { ProviderEvents } from './events.ts'
import { Link } from './link.ts'
import type { LinkTiming, LinkUser } from './link.ts'
import type { CompleteOptions } from './options.ts'
import { Presence } from './presence.ts'
import { Progress } from './progress.ts'
import { attempt } from './report.ts'
import type { MessageReader, SessionUser, Source } from './session.ts'
import { Session } from './session.ts'
import type * as sharedSocket from './sharedSocket.ts'
import type { Frame, LinkStatus, Scope } from './status.ts'
import { TabDebts } from './tabDebts.ts'
import { Tokens } from './tokens.ts'
import { Uploads } from './uploads.ts'
import * as wire from './wire.ts'

/** Milliseconds the first words to the server wait for what is stored on this device. */
const LOAD_PATIENCE_MS = 3_000

/** Close codes by which a server refuses a token. */
const UNAUTHORISED: ReadonlySet<number> = new Set([4401, 4403])

/** Loaded when it is needed, once: most applications have one document at a time. */
let sharing: Promise<typeof sharedSocket> | null = null

/** Reads the rest of a message of its type; what it writes is sent back. The signature is y-websocket's. */
// oxlint-disable-next-line max-params -- it is
export type MessageHandler<Provider> = (
  encoder: Encoder,
  decoder: Decoder,
  provider: Provider,
  emitSynced: boolean,
  messageType: number,
) => void

/** What a room needs of its provider: the events, and the fields that may change at any time, as in y-websocket. */
export interface RoomOwner<Provider> extends Pick<ObservableV2<ProviderEvents<Provider>>, 'emit' | '_observers'> {
  readonly doc: Doc
  readonly awareness: Awareness
  readonly serverUrl: string
  readonly roomname: string
  readonly bcChannel: string
  readonly messageHandlers: MessageHandler<Provider>[]
  params: Record<string, string>
  maxBackoffTime: number
  shouldConnect: boolean
  shouldReconnect: (event: CloseEvent, provider: Provider) => boolean
}

/** One document on this client, and all it is connected to: the server, the other tabs, this device. */
export class Room<Provider extends RoomOwner<Provider>> implements LinkUser, SessionUser {
  readonly uploads: Uploads
  readonly session: Session
  readonly link: Link
  readonly progress: Progress<Provider>
  readonly traffic = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, reconnects: 0 }
  readonly #provider: Provider
  readonly #options: CompleteOptions
  readonly #environment: Environment
  readonly #presence: Presence
  readonly #tokens: Tokens
  readonly #debts: TabDebts
  readonly #device: DeviceCopy | null
  readonly #ends: (() => void)[] = []
  /** Null: they are none of our business. */
  readonly #tabs: Tabs | null
  #leaveTabs: (() => void) | null = null
  /** Whether there has been a connection: others remember us as gone. */
  #hasConnected = false
  /** The connection whose first words are still to be said; others have replaced it when it is another object. */
  #opening: object | null = null
  /** Until what is stored on this device is in the document. */
  #loading: Promise<void> | null = null

  constructor(provider: Provider, options: CompleteOptions, environment: Environment) {
    const { clock, tabs } = environment
    const { doc, awareness, roomname } = provider
    this.#provider = provider
    this.#options = options
    this.#environment = environment
    this.uploads = new Uploads(clock, options.flushDelay, (savedAfter) => this.#onUploads(savedAfter))
    this.link = new Link(environment, this)
    const { uploads, link } = this
    const parts = { doc, awareness, clock, uploads, link, origin: provider, isHocuspocus: options.multiplex }
    const throttle = options.awarenessThrottle
    const presence = new Presence({ ...parts, throttle, send: (message) => this.#say(message) })
    this.#presence = presence
    this.session = new Session({ ...parts, presence }, this)
    this.#tokens = new Tokens(options.token, clock, {
      renewed: (token) => this.#sendToken(token),
      failure: (error) => this.onFailure(error),
    })
    this.#debts = new TabDebts(clock, () => this.settleDebts())
    this.#tabs = options.disableBc ? null : tabs
    const open = options.persistence
    const onFailure = (error: unknown): void => this.onFailure(error)
    this.#device = open === null ? null : new DeviceCopy(doc, async () => open(roomname), onFailure)
    const { page } = environment
    this.progress = new Progress({ ...parts, provider, page, preventsClose: options.preventUnsavedChanges })
  }

  /** Looks at what there is already, and from now on at every change. */
  start(): void {
    const { doc } = this.#provider
    if (doc.store.clients.size > 0) this.uploads.found(1)
    doc.on('update', this.#onUpdate)
    this.#ends.push(
      () => doc.off('update', this.#onUpdate),
      this.#environment.page.watch((event) => this.#onPage(event)),
    )
    if (this.#options.resyncInterval > 0) this.#resyncEvery(this.#options.resyncInterval)
    if (this.#device !== null) this.#loading = this.#load(this.#device)
  }

  get isWanted(): boolean {
    return this.#provider.shouldConnect
  }

  get timing(): LinkTiming {
    return { ...this.#options, maxBackoffTime: this.#provider.maxBackoffTime }
  }

  get answers(): boolean {
    return this.session.isOurs
  }

  connect(): void {
    if (this.link.status.name === 'closed') return
    this.link.connect()
    if (!this.hasTabs) this.connectTabs()
  }

  get hasTabs(): boolean {
    return this.#leaveTabs !== null
  }

  /** Joins the other tabs, or introduces itself to them once more. */
  connectTabs(): void {
    if (this.#tabs === null) return
    const { bcChannel } = this.#provider
    this.#leaveTabs ??= this.#tabs.subscribe(bcChannel, this.#provider, (message) => this.#receive(message, 'tab'))
    for (const message of this.session.introduction()) this.#publish(message)
  }

  disconnect(): void {
    this.uploads.flush()
    this.disconnectTabs()
    this.link.disconnect()
  }

  disconnectTabs(): void {
    this.#say(this.#presence.goodbye())
    this.#leaveTabs?.()
    this.#leaveTabs = null
  }

  #publish(message: Uint8Array): void {
    if (this.hasTabs) this.#tabs?.publish(this.#provider.bcChannel, this.#provider, message)
  }

  destroy(): void {
    this.uploads.flush()
    this.disconnectTabs()
    this.link.destroy()
    for (const end of this.#ends) end()
    this.#debts.clear()
    this.#presence.destroy()
    this.#tokens.destroy()
    this.#device?.close()
    this.progress.rejectAll(new DestroyedError())
  }

  /** Removes the document from this device. */
  async clearDevice(): Promise<void> {
    await this.#device?.clear()
  }

  /** As a handler of the provider's, for every message it has no other for. */
  // oxlint-disable-next-line max-params -- y-websocket's signature
  readonly handle: MessageHandler<Provider> = (encoder, decoder, _provider, emitSynced, messageType) => {
    this.session.read(messageType, decoder, encoder, emitSynced ? 'server' : 'tab')
  }

  dial(): SocketLike | Promise<SocketLike> {
    const SocketClass = this.#options.WebSocketPolyfill ?? this.#environment.webSocket()
    const token = this.#options.multiplex ? null : this.#tokens.get()
    if (!(SocketClass instanceof Promise) && !(token instanceof Promise)) return this.#openSocket(SocketClass, token)
    return Promise.all([SocketClass, token]).then(([type, text]) => this.#openSocket(type, text))
  }

  mayReconnect(event: CloseEvent): boolean {
    if (this.#provider.shouldReconnect(event, this.#provider)) return true
    return UNAUTHORISED.has(event.code) && this.#tokens.refused()
  }

  askForSign(): void {
    this.session.askForSign()
  }

  onChange(status: LinkStatus): void {
    if (status.name === 'connecting') this.#provider.emit('status', [{ status: 'connecting' }])
    this.#provider.emit('link', [status])
  }

  onOpen(): void {
    const isReturn = this.#hasConnected
    this.#hasConnected = true
    if (isReturn) this.traffic.reconnects += 1
    this.#provider.emit('status', [{ status: 'connected' }])
    this.progress.tell()
    this.#greet(isReturn)
  }

  onMessage(message: Uint8Array): void {
    if (message.length === 0) return // only a sign of life, on a shared socket
    this.traffic.framesIn += 1
    this.traffic.bytesIn += message.length
    this.#show({ direction: 'in', bytes: message })
    this.#receive(message, 'server')
  }

  onError(event: Event): void {
    this.#provider.emit('connection-error', [event, this.#provider])
  }

  onClose(event: CloseEvent | null, wasOpen: boolean): void {
    this.#opening = null
    if (!this.progress.isSynced) this.#tokens.forget()
    this.session.end()
    this.#provider.emit('connection-close', [event, this.#provider])
    this.progress.setSynced(false)
    if (!wasOpen) return
    this.#presence.forgetOthers()
    this.#provider.emit('status', [{ status: 'disconnected' }])
    this.progress.tell()
  }

  onFailure(error: unknown): void {
    const isTold = error instanceof ProviderError
    const told = isTold ? error : new ProviderError('MALFORMED_FRAME', 'a message cannot be read', error)
    this.#provider.emit('error', [told])
  }

  onDenied({ code, reason }: CloseEvent): void {
    this.#provider.shouldConnect = false
    this.progress.rejectAll(new AccessDeniedError(reason, code))
    this.#provider.emit('closed', [{ code, reason }, this.#provider])
  }

  /** Nothing may go before the first words: they tell the server which protocol this is. */
  send(message: Uint8Array): void {
    if (this.session.hasBegun) this.#transmit(message)
  }

  onSynced(): void {
    this.link.synced()
    this.#tokens.accepted()
    this.progress.setSynced(true)
  }

  onUpload(): void {
    if (this.#debts.take() !== null) this.uploads.found(1) // sent with the rest, and to be proved with it
  }

  onReceived(update: Uint8Array): void {
    this.#debts.seen(update)
  }

  onScope(scope: Scope): void {
    this.progress.setScope(scope)
  }

  onRefused(reason: string): void {
    this.#provider.emit('authentication-failed', [{ reason }])
    // Of a socket of its own, the close code that follows tells what to do; a shared one stays open.
    if (this.#options.multiplex) this.link.refuse(reason)
  }

  onTokenWanted(): void {
    this.#tokens.forget()
    this.#whenReady(
      (token) => this.#sendToken(token ?? ''),
      () => undefined,
    )
  }

  onServerClose(): void {
    this.link.drop()
  }

  #openSocket(SocketClass: SocketClass, token: string | null): SocketLike | Promise<SocketLike> {
    const url = this.#address(token)
    const open = (): SocketLike => new SocketClass(url, this.#options.protocols)
    return this.#options.multiplex ? this.#shareSocket(url, open) : open()
  }

  async #shareSocket(url: string, open: () => SocketLike): Promise<SocketLike> {
    sharing ??= import('./sharedSocket.ts')
    const { openSharedSocket } = await sharing
    return openSharedSocket(this.#environment, { url, room: this.#provider.roomname }, open)
  }

  /** With `multiplex`, documents are named in messages, and the path is the server's business. */
  #address(token: string | null): string {
    const { serverUrl, roomname, params } = this.#provider
    const added = token === null ? {} : { token }
    const query = encodeQueryParams({ [HELLO_PARAMETER]: String(HELLO_VERSION), ...params, ...added })
    return `${serverUrl}/${this.#options.multiplex ? '' : roomname}?${query}`
  }

  #receive(data: Uint8Array, from: Source): void {
    try {
      const reply = this.session.receive(data, from, this.#read)
      if (reply === null) return
      if (from === 'server') this.send(reply)
      else this.#publish(reply)
    } catch (error) {
      this.onFailure(error)
      if (from === 'server') this.link.drop()
    }
  }

  readonly #read: MessageReader = (type, decoder, encoder, from) => {
    const handler = this.#provider.messageHandlers[type]
    if (handler === undefined || handler === this.handle) return this.session.read(type, decoder, encoder, from)
    attempt(() => handler(encoder, decoder, this.#provider, from === 'server', type))
    return false // who knows how much of the frame it has read
  }

  /** Whether the server is known to have everything that is in the document. */
  get #isSaved(): boolean {
    return this.uploads.isSaved && this.#debts.isEmpty
  }

  /** Sends what other tabs have told us and the server has not. */
  settleDebts(): void {
    const missing = this.#debts.take()
    if (missing !== null) this.uploads.edit(missing)
  }

  readonly #onUpdate = (update: Uint8Array, from: unknown): void => {
    const isOthers = from === this.#provider
    const isStored = this.#device !== null && from === this.#device
    if (isOthers && this.session.source === 'tab') this.#debts.add(update)
    if (!isOthers && (!isStored || this.session.isLive)) this.uploads.edit(update)
    if (!isOthers && !isStored) this.#publish(wire.syncUpdate(update))
    if (!isStored) this.#device?.keep(update, this.#isSaved)
  }

  #onUploads(savedAfter: number | null): void {
    if (savedAfter !== null && this.#isSaved) this.#device?.saved()
    this.progress.count(savedAfter)
  }

  #onPage(event: PageEvent): void {
    if (event === 'leaving') {
      this.uploads.flush()
      this.#say(this.#presence.goodbye())
    } else if (event === 'returned') {
      const own = this.#presence.arrive(true)
      if (own !== null) this.#say(own)
    }
  }

  #transmit(message: Uint8Array): void {
    if (!this.link.isOpen) return
    this.traffic.framesOut += 1
    this.traffic.bytesOut += message.length
    this.#show({ direction: 'out', bytes: message })
    this.link.send(message)
  }

  /** Nobody pays for a log that nobody keeps. */
  #show(frame: Frame): void {
    if (this.#provider._observers.has('frame')) this.#provider.emit('frame', [frame])
  }

  /** To everybody there is. */
  #say(message: Uint8Array): void {
    this.send(message)
    this.#publish(message)
  }

  /** Begins the conversation on a connection that has just opened, when token and document are there. */
  #greet(isReturn: boolean): void {
    const opening = {}
    this.#opening = opening
    const begin = (token: string | null): void => {
      if (this.#opening !== opening) return
      this.#opening = null
      if (this.#options.multiplex) this.#transmit(wire.auth(token ?? ''))
      this.session.begin(isReturn)
    }
    this.#whenReady(begin, () => this.#opening === opening && this.link.drop())
  }

  #whenReady(go: (token: string | null) => void, giveUp: () => void): void {
    const token = this.#options.multiplex ? this.#tokens.get() : null
    if (!(token instanceof Promise) && this.#loading === null) return go(token)
    Promise.all([token, this.#loading]).then(
      ([text]) => go(text),
      (error: unknown) => {
        this.onFailure(error)
        giveUp()
      },
    )
  }

  #sendToken(token: string): void {
    if (this.#options.multiplex || this.session.isOurs) this.send(wire.auth(token))
  }

  #resyncEvery(milliseconds: number): void {
    const { clock } = this.#environment
    let cancel = (): void => undefined
    const resync = (): void => {
      if (this.session.hasBegun) this.session.request(null)
      cancel = clock.after(milliseconds, resync)
    }
    cancel = clock.after(milliseconds, resync)
    this.#ends.push(() => cancel())
  }

  /** Resolves when what is stored on this device is in the document, or has taken too long. */
  async #load(device: DeviceCopy): Promise<void> {
    const { clock } = this.#environment
    const loaded = device.load().then((unsaved) => {
      if (!this.session.isLive) this.uploads.found(unsaved)
    })
    let cancel = (): void => undefined
    const patience = new Promise<void>((resolve) => {
      cancel = clock.after(LOAD_PATIENCE_MS, resolve)
    })
    await Promise.race([loaded, patience])
    cancel()
    this.#loading = null
  }
}
