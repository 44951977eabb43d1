import { Changes } from './changes.ts'
import { dial } from './dial.ts'
import type { DialParts } from './dial.ts'
import type { Environment, PageEvent, SocketLike } from './environment.ts'
import { AccessDeniedError, ProviderError } from './errors.ts'
import type { ProviderErrorCode } from './errors.ts'
import { Link } from './link.ts'
import type { LinkUser } from './link.ts'
import { Neighbours } from './neighbours.ts'
import type { CompleteOptions } from './options.ts'
import { Presence } from './presence.ts'
import { Progress } from './progress.ts'
import { repeat } from './repeat.ts'
import { attempt } from './report.ts'
import type { MessageHandler, RoomOwner } from './roomOwner.ts'
import type { MessageReader, SessionUser, Source } from './session.ts'
import { Session } from './session.ts'
import type { Frame, LinkStatus, Scope } from './status.ts'
import { Tokens } from './tokens.ts'
import { Uploads } from './uploads.ts'

/** Close codes by which a server refuses a token. */
const isUnauthorised = (code: number): boolean => code === 4401 || code === 4403

/** One document on this client, and all it is connected to: the server, the other tabs, this device. */
export class Room<Provider extends RoomOwner<Provider>> implements LinkUser, SessionUser {
  readonly uploads: Uploads
  readonly session: Session
  readonly link: Link
  readonly progress: Progress<Provider>
  /** What has travelled to the server and back. */
  readonly traffic = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, reconnects: 0 }
  readonly neighbours: Neighbours
  readonly changes: Changes
  readonly owner: Provider
  readonly #parts: DialParts & Environment
  readonly #presence: Presence
  readonly #tokens: Tokens
  readonly #ends: (() => void)[] = []
  /** Whether there has been a connection: others remember us as gone. */
  #hasConnected = false

  constructor(owner: Provider, options: CompleteOptions, environment: Environment) {
    const { clock } = environment
    const { doc, awareness, roomname } = owner
    const failure = (error: unknown): void => this.onFailure(error)
    this.owner = owner
    const uploads = new Uploads(clock, options.flushDelay, (savedAfter) => this.#onUploads(savedAfter))
    const link = new Link(environment, options, this)
    const tokens = new Tokens(options.token, clock, { renewed: (token) => this.session.sendToken(token), failure })
    const hear = (message: Uint8Array): void => this.#receive(message, 'tab')
    const neighbours = new Neighbours({ tabs: options.disableBc ? null : environment.tabs, owner, hear })
    const { persistence } = options
    const say = (message: Uint8Array): void => this.#say(message)
    const parts = {
      ...environment,
      environment,
      owner,
      doc,
      awareness,
      options,
      uploads,
      link,
      tokens,
      neighbours,
      failure,
      say,
    }
    const presence = new Presence(parts)
    const progress = new Progress(parts)
    const session = new Session({ ...parts, presence, progress }, this)
    const open = persistence === null ? null : async () => persistence(roomname, owner.serverUrl)
    this.changes = new Changes({ ...parts, session, open })
    this.#parts = parts
    this.#tokens = tokens
    this.#presence = presence
    this.uploads = uploads
    this.link = link
    this.neighbours = neighbours
    this.progress = progress
    this.session = session
  }

  start(): void {
    const { page, clock, options } = this.#parts
    const resync = (): void => void (this.session.hasBegun && this.session.request(null))
    this.#ends.push(page.watch(this.#onPage))
    if (options.resyncInterval > 0) this.#ends.push(repeat(clock, options.resyncInterval, resync))
    this.changes.start()
  }

  connect(): void {
    if (this.link.status.name === 'closed') return
    this.link.connect()
    if (!this.neighbours.isJoined) this.connectTabs()
  }

  disconnect(): void {
    this.disconnectTabs()
    this.link.disconnect()
    this.#tokens.forget()
  }

  connectTabs(): void {
    this.neighbours.join(() => this.session.introduction())
  }

  disconnectTabs(): void {
    this.#say(this.#presence.goodbye())
    this.neighbours.leave()
  }

  destroy(): void {
    this.disconnectTabs()
    this.link.destroy()
    for (const end of this.#ends) end()
    this.changes.destroy()
    this.#presence.destroy()
    this.#tokens.destroy()
    this.progress.end()
  }

  whenSaved(signal: AbortSignal | undefined): Promise<void> {
    this.changes.payDebts()
    return this.progress.whenSaved(signal, this.changes.device)
  }

  /** As a handler of the provider's, for every message it has no other for. */
  // oxlint-disable-next-line max-params -- y-websocket's signature
  readonly handle: MessageHandler<Provider> = (encoder, decoder, _provider, emitSynced, messageType) => {
    this.session.read(messageType, decoder, () => encoder, emitSynced ? 'server' : 'tab')
  }

  dial(): SocketLike | Promise<SocketLike> {
    return dial(this.#parts)
  }

  mayReconnect(event: CloseEvent): boolean {
    const hasHope = isUnauthorised(event.code) && this.#tokens.refused()
    return this.owner.shouldReconnect(event, this.owner) || hasHope
  }

  onChange(status: LinkStatus): void {
    if (status.name === 'connecting') this.owner.emit('status', [{ status: 'connecting' }])
    if (status === this.link.status) this.owner.emit('link', [status])
  }

  onOpen(): void {
    const isReturn = this.#hasConnected
    this.#hasConnected = true
    if (isReturn) this.traffic.reconnects += 1
    this.owner.emit('status', [{ status: 'connected' }])
    this.progress.tell()
    if (this.link.isOpen) this.#greet(isReturn)
  }

  onMessage(message: Uint8Array): void {
    if (message.length === 0) return // only a sign of life, on a shared socket
    this.#count('in', message)
    this.#receive(message, 'server')
  }

  onError(event: Event): void {
    this.owner.emit('connection-error', [event, this.owner])
  }

  onClose(event: CloseEvent | null, wasOpen: boolean): void {
    if (!this.progress.isSynced) this.#tokens.forget()
    this.session.end()
    this.owner.emit('connection-close', [event, this.owner])
    this.progress.setSynced(false)
    if (!wasOpen) return
    this.#presence.forgetOthers()
    this.owner.emit('status', [{ status: 'disconnected' }])
    this.progress.tell()
  }

  onFailure(error: unknown, code: ProviderErrorCode = 'MALFORMED_FRAME', message = 'bad message'): void {
    this.owner.emit('error', [error instanceof ProviderError ? error : new ProviderError(code, message, error)])
  }

  onDenied({ code, reason }: CloseEvent): void {
    this.owner.shouldConnect = false
    this.progress.rejectAll(() => new AccessDeniedError(reason, code))
    this.owner.emit('closed', [{ code, reason }, this.owner])
  }

  /** Nothing may go before the first words: they tell the server which protocol this is. */
  send(message: Uint8Array): void {
    if (!this.session.hasBegun) return
    this.link.send(message)
    this.#count('out', message) // whoever looks on may ask at once whether it is saved
  }

  onSynced(): void {
    this.progress.setSynced(true)
    this.link.synced()
    this.session.awaitQuestion()
    this.#tokens.accepted()
  }

  onScope(scope: Scope, isGranted: boolean): void {
    if (isGranted) this.owner.emit('authenticated', [{ scope }])
    this.progress.setScope(scope)
  }

  onRefused(reason: string): void {
    this.owner.emit('authentication-failed', [{ reason }]) // the close code that follows tells what to do
  }

  onRoundTrip(milliseconds: number): void {
    this.owner.emit('rtt', [milliseconds])
  }

  #receive(data: Uint8Array, from: Source): void {
    try {
      const reply = this.session.receive(data, from, this.#read)
      if (!reply) return
      if (from === 'server') this.send(reply)
      else this.neighbours.tell(reply)
    } catch (error) {
      this.onFailure(error)
      if (from === 'server') this.link.drop()
    }
  }

  readonly #read: MessageReader = (type, decoder, reply, from) => {
    const handler = this.owner.messageHandlers[type]
    if (handler === undefined || handler === this.handle) return this.session.read(type, decoder, reply, from)
    attempt(() => handler(reply(), decoder, this.owner, from === 'server', type))
    return false // who knows how much of the frame it has read
  }

  #onUploads(savedAfter: number | null): void {
    if (savedAfter !== null) this.changes.confirmed()
    this.progress.count(savedAfter)
  }

  readonly #onPage = (event: PageEvent): void => {
    this.link.onPage(event)
    this.uploads.flush() // timers of a page nobody looks at are slow, and it may be gone before they come
    if (event === 'pagehide') this.#say(this.#presence.goodbye())
    else if (event === 'returned') this.#presence.arrive(true, 0)
  }

  #count(direction: Frame['direction'], bytes: Uint8Array): void {
    const { traffic } = this
    if (direction === 'in') {
      traffic.framesIn += 1
      traffic.bytesIn += bytes.length
    } else {
      traffic.framesOut += 1
      traffic.bytesOut += bytes.length
    }
    this.owner.emit('frame', [{ direction, bytes }])
  }

  /** To everybody there is. */
  #say(message: Uint8Array): void {
    this.uploads.flush() // a cursor does not come before its text
    this.send(message)
    this.neighbours.tell(message)
  }

  /** Begins the conversation on a connection that has just opened, when the document is there. */
  #greet(isReturn: boolean): void {
    const { status } = this.link
    const begin = (): void => {
      if (this.link.status === status) this.session.begin(isReturn)
    }
    const loading = this.changes.device?.loading
    if (loading) void loading.then(begin)
    else begin()
  }
}
