import type { Duplex } from 'node:stream'
import type { RawData } from 'ws'
import { CloseCode, closeReason } from '../../shared/closeCodes.ts'
import type { ScriptoriumError } from '../../shared/errors.ts'
import {
  InternalError,
  InvalidNameError,
  LimitExceededError,
  MalformedFrameError,
  toScriptoriumError,
} from '../../shared/errors.ts'
import { checkName, faultOfName } from '../../shared/names.ts'
import { Feature, hello } from '../../shared/wire/hello.ts'
import { permissionDeniedYWebsocket } from '../../shared/wire/messages.ts'
import type { Clock } from '../clock.ts'
import type { Link } from '../document/link.ts'
import type { Registry } from '../document/registry.ts'
import type { Observer, Protocol } from '../observer.ts'
import type { Channel } from './channel.ts'
import type { ClientSocket, SocketEvents } from './clientSocket.ts'
import { encodeFrame } from './frame.ts'
import { HocuspocusChannel } from './hocuspocusChannel.ts'
import { Outbox } from './outbox.ts'
import type { OutboxContext, OutboxListener } from './outbox.ts'
import { PingBudget } from './pingBudget.ts'
import { YWebsocketChannel } from './yWebsocketChannel.ts'

/** Milliseconds a socket whose owner is disputed has to show that it lives. */
const CHALLENGE_TIMEOUT_MS = 5_000
/** Who may wait for the answer to one such question; the rest is told that it lives. */
const MAX_CHALLENGERS = 64
/** Milliseconds a refused y-websocket client is held: versions up to 3.0 come back at once, for ever, without jitter. */
const DENIAL_HOLD_MS = 2_000
/** Milliseconds a hello waits for an answer to leave with: reading a document takes one or two, if storage is well. */
const HELLO_WAIT_MS = 10
const noPrefix = new Uint8Array()

type State =
  /** Nothing received yet. We do not speak first: the first byte tells the protocol. */
  | { readonly name: 'sniffing'; readonly since: number }
  | { readonly name: 'open'; readonly protocol: Protocol; readonly channel: Channel }
  /** The URL names no document: told so, held for a while, not listened to any more. */
  | { readonly name: 'denied' }
  | { readonly name: 'closing'; readonly protocol: Protocol | null }

/** What all connections of one server share. */
export interface ConnectionContext extends OutboxContext {
  readonly registry: Registry
  readonly clock: Clock
  readonly observer: Observer
  readonly onGone: (connection: Connection) => void
  readonly isDurable: () => boolean
  /** `Clock.now()` as of the last second: exact enough for time-outs, and costs nothing per frame. */
  now: number
}

/** What the upgrade request tells of a connection. */
export interface ConnectionOrigin {
  /** The document by URL; only y-websocket clients mean it. */
  readonly name: string
  readonly remote: string
  /** Asks to be told which server this is. */
  readonly wantsHello: boolean
}

/** One WebSocket: sniffing, liveness, what is still to be sent. Rules T1 to T8 of SPEC.md. */
export class Connection implements Link, SocketEvents, OutboxListener {
  readonly remote: string
  readonly #context: ConnectionContext
  readonly #ws: ClientSocket
  readonly #outbox: Outbox
  readonly #name: string
  readonly #wantsHello: boolean
  #state: State
  #receivedAt: number
  #sentAt: number
  #pingedAt: number | null = null
  /** Pings of ours without an answer yet: pongs beyond that are nobody's business. */
  #pongsDue = 0
  #pings: PingBudget | null = null
  #holders: Set<object> | null = null
  #challenges: ((alive: boolean) => void)[] | null = null
  /** A hello that nothing has gone with yet. */
  #hello: { readonly frame: Uint8Array; readonly cancelWaiting: () => void } | null = null

  constructor(context: ConnectionContext, ws: ClientSocket, socket: Duplex, about: ConnectionOrigin) {
    this.#context = context
    this.#ws = ws
    this.#name = about.name
    this.#wantsHello = about.wantsHello
    this.remote = about.remote
    this.#outbox = new Outbox(socket, context, this)
    this.#receivedAt = context.now
    this.#sentAt = context.now
    this.#state = { name: 'sniffing', since: context.now }
    ws.subscribe(this)
    socket.on('drain', () => this.#onDrain())
    if (about.wantsHello) this.#preload()
  }

  get congested(): boolean {
    return this.#outbox.congested
  }

  encode(prefix: Uint8Array, message: Uint8Array): Uint8Array {
    return encodeFrame(prefix, message)
  }

  send(frame: Uint8Array): void {
    if (this.#state.name === 'closing') return
    if (this.#hello !== null) this.#sayHello()
    this.#sentAt = this.#context.now
    if (!this.#outbox.push(frame)) this.#giveUp('maxUnreadBytes')
  }

  pause(holder: object): void {
    this.#holders ??= new Set()
    this.#holders.add(holder)
    this.#ws.pause()
  }

  resume(holder: object): void {
    if (this.#holders === null || !this.#holders.delete(holder) || this.#holders.size > 0) return
    if (this.#state.name === 'closing') return
    this.#isAlive() // its signs of life are still unread
    this.#ws.resume()
  }

  fail(error: ScriptoriumError): void {
    const code = closeCodeFor(error)
    this.#report(error, code)
    this.close(code, error.message)
  }

  close(code: CloseCode, reason: string): void {
    if (this.#state.name === 'closing') return
    this.#sayHello()
    this.#endSessions()
    this.#outbox.flush(this.#context.clock.now())
    this.#outbox.clear()
    this.#ws.resume() // or the client's own close frame would never be read
    this.#ws.close(code, closeReason(reason))
  }

  /** Ends it without a handshake: the other side is not there any more. */
  terminate(): void {
    this.#endSessions()
    this.#outbox.clear()
    this.#ws.terminate()
  }

  /** Resolves when the socket is gone. */
  get closed(): Promise<void> {
    if (this.#ws.readyState === this.#ws.CLOSED) return Promise.resolve()
    return new Promise((resolve) => {
      this.#ws.once('close', () => resolve())
    })
  }

  challenge(): Promise<boolean> {
    if (this.#state.name === 'closing') return Promise.resolve(false)
    if (this.#isPaused) return Promise.resolve(true) // we would not hear its answer
    // One question at a time, whoever asks: what costs the asker two frames must not cost this client a ping each.
    const asked = this.#challenges
    if (asked !== null)
      return asked.length < MAX_CHALLENGERS ? new Promise((resolve) => asked.push(resolve)) : Promise.resolve(true)
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(CHALLENGE_TIMEOUT_MS, () => this.terminate())
      this.#challenges ??= []
      this.#challenges.push((alive) => {
        cancel()
        resolve(alive)
      })
      this.#ping()
    })
  }

  /** Called every second. */
  tick(now: number): void {
    const { limits } = this.#context
    if (this.#state.name === 'closing') return
    if (this.#state.name === 'sniffing' && now - this.#state.since > limits.firstFrameTimeoutMs) {
      return this.close(CloseCode.violation, 'no first frame in time')
    }
    const blockedSince = this.#outbox.blockedSince
    if (blockedSince !== null && now - blockedSince > limits.lagTimeoutMs) return this.#giveUp('lagTimeoutMs')
    const isSilent = now - this.#receivedAt >= limits.pingAfterMs && !this.#isPaused
    if (isSilent && !this.#probe(now)) return this.terminate()
    if (this.#state.name !== 'open') return
    if (now - this.#sentAt >= limits.keepAliveMs) this.#state.channel.keepAlive()
    this.#state.channel.reassure()
  }

  /** False: asked already, and no answer in time. */
  #probe(now: number): boolean {
    if (this.#pingedAt === null) {
      this.#pingedAt = now
      this.#ping()
    }
    return now - this.#pingedAt <= this.#context.limits.pongTimeoutMs
  }

  #ping(): void {
    this.#pongsDue += 1
    this.#ws.ping()
  }

  get #isPaused(): boolean {
    return this.#holders !== null && this.#holders.size > 0
  }

  #giveUp(limit: 'lagTimeoutMs' | 'maxUnreadBytes'): void {
    this.#report(new LimitExceededError(limit, 'client does not read'), CloseCode.tryAgainLater)
    this.close(CloseCode.tryAgainLater, 'client does not read')
  }

  #isAlive(): void {
    this.#receivedAt = this.#context.now
    this.#pingedAt = null
    if (this.#challenges !== null) this.#answerChallenges(true)
  }

  #answerChallenges(alive: boolean): void {
    for (const answer of this.#challenges ?? []) answer(alive)
    this.#challenges = null
  }

  onMessage(data: RawData, isBinary: boolean): void {
    if (this.#state.name === 'closing' || this.#state.name === 'denied') return
    this.#isAlive()
    if (!isBinary) return this.close(CloseCode.unsupportedData, 'binary frames only')
    const frame = data as Buffer // never fragments or an ArrayBuffer: ws.binaryType is left at its default
    const { traffic } = this.#context
    traffic.framesIn += 1
    traffic.bytesIn += frame.length
    try {
      if (this.#state.name === 'sniffing') this.#open(frame)
      else this.#state.channel.receive(frame)
    } catch (error) {
      this.#refuse(toScriptoriumError(error))
    }
  }

  /**
   * Only our own client asks for a hello, and names a document by the path, unless that ends in a slash (`multiplex`).
   * Reading it begins here, since the first words are a round trip away. Nobody joins: then it is dropped (L3).
   */
  #preload(): void {
    const { registry, limits } = this.#context
    if (!this.#name.endsWith('/') && faultOfName(this.#name, limits.maxNameBytes) === null) registry.open(this.#name)
  }

  #open(frame: Buffer): void {
    if (frame.length === 0) throw new MalformedFrameError('empty first frame')
    const { registry, limits, clock, observer } = this.#context
    let opened: { protocol: Protocol; channel: Channel }
    if (frame[0] === 0) {
      const document = registry.open(checkName(this.#name, limits.maxNameBytes))
      opened = { protocol: 'y-websocket', channel: new YWebsocketChannel(this, document, observer) }
    } else {
      const channel = new HocuspocusChannel({ link: this, registry, limits, clock, observer })
      opened = { protocol: 'hocuspocus', channel }
    }
    this.#state = { name: 'open', ...opened }
    observer.observe({ type: 'connected', protocol: opened.protocol, remote: this.remote })
    // Before the answers: what they mean depends on who says them.
    if (this.#wantsHello) this.#prepareHello(opened.channel.prefixOf(frame))
    opened.channel.receive(frame)
  }

  #prepareHello(prefix: Uint8Array): void {
    const { clock, isDurable } = this.#context
    const frame = encodeFrame(prefix, hello(isDurable() ? Feature.durable : 0))
    this.#hello = { frame, cancelWaiting: clock.after(HELLO_WAIT_MS, () => this.#sayHello()) }
  }

  #sayHello(): void {
    const frame = this.#takeHello()
    if (frame !== null) this.send(frame)
  }

  #takeHello(): Uint8Array | null {
    const held = this.#hello
    this.#hello = null
    held?.cancelWaiting()
    return held?.frame ?? null
  }

  #refuse(error: ScriptoriumError): void {
    if (!(error instanceof InvalidNameError)) return this.fail(error)
    this.#report(error, CloseCode.invalidName)
    this.#state = { name: 'denied' }
    this.send(encodeFrame(noPrefix, permissionDeniedYWebsocket(error.message)))
    this.pause(this)
    this.#context.clock.after(DENIAL_HOLD_MS, () => this.close(CloseCode.invalidName, error.message))
  }

  onPing(data: Buffer): void {
    if (!this.#mayPing()) return
    this.#isAlive()
    this.#ws.pong(data)
  }

  /** Browsers may send pongs nobody asked for; a flood of them is a flood of pings. */
  onPong(): void {
    if (this.#pongsDue > 0) this.#pongsDue -= 1
    else if (!this.#mayPing()) return
    this.#isAlive()
  }

  #mayPing(): boolean {
    if (this.#state.name === 'closing') return false
    const { clock, limits } = this.#context
    this.#pings ??= new PingBudget(limits.maxPingsPerSecond, clock.now())
    if (this.#pings.take(clock.now())) return true
    this.fail(new LimitExceededError('maxPingsPerSecond', 'too many pings'))
    return false
  }

  /** ws has sent the close frame that fits (1002, 1007, 1008, 1009): nothing may follow it. */
  onError(error: Error): void {
    if (this.#state.name === 'closing') return
    this.#report(new MalformedFrameError(error.message, error), CloseCode.malformed)
    this.#endSessions()
    this.#outbox.clear()
  }

  #onDrain(): void {
    this.#isAlive() // the other side has taken something, if slowly
    this.#outbox.drained(this.#context.clock.now())
  }

  everythingSent(): void {
    if (this.#state.name === 'open') this.#state.channel.drained()
  }

  onClose(code: number): void {
    this.#context.onGone(this)
    this.#endSessions()
    this.#outbox.clear()
    const protocol = 'protocol' in this.#state ? this.#state.protocol : null
    this.#context.observer.observe({ type: 'disconnected', protocol, code, remote: this.remote })
  }

  #endSessions(): void {
    const state = this.#state
    if (state.name === 'closing') return
    this.#state = { name: 'closing', protocol: state.name === 'open' ? state.protocol : null }
    this.#takeHello()
    if (state.name === 'open') state.channel.end()
    this.#answerChallenges(false)
  }

  #report(error: ScriptoriumError, code: number): void {
    this.#context.observer.observe({ type: 'rejected', error, code, remote: this.remote })
  }
}

function closeCodeFor(error: ScriptoriumError): CloseCode {
  if (error instanceof MalformedFrameError || error.code === 'MALFORMED_UPDATE') return CloseCode.malformed
  if (error instanceof InvalidNameError) return CloseCode.invalidName
  if (error instanceof InternalError) return CloseCode.internalError
  return CloseCode.violation
}
