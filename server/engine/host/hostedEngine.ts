import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { StorageError } from '../../../shared/errors.ts'
import { systemClock } from '../../clock.ts'
import type { Clock } from '../../clock.ts'
import type {
  Cursor,
  Durability,
  Engine,
  EngineHealth,
  Entry,
  ListQuery,
  Loaded,
  Sink,
  Snapshot,
  Subscription,
} from '../engine.ts'
import { readEntry, readError, readHealth, readLoaded, readNames, readTail } from './codec.ts'
import type { Frame } from './frames.ts'
import { FrameType, requireFitting, VERSION } from './frames.ts'
import { Inlet } from './inlet.ts'
import { Outlet } from './outlet.ts'

/** Bytes waiting for the host above which messages to other nodes are left out: best effort is all they are. */
const MAX_MESSAGE_BACKLOG_BYTES = 4 * 1024 * 1024

export interface HostedEngineOptions {
  /** Leads to an `EngineHost`, and to nothing else. */
  readonly socket: Socket
  /** Default: the real one. */
  readonly clock?: Clock
  /** Called on every change between working and not working of the host's storage. Must not throw. */
  readonly onHealth?: (health: EngineHealth) => void
  /** Called once when the host is gone without having been left. Must not throw. */
  readonly onLost?: () => void
}

interface Request {
  readonly answer: (frame: Frame) => void
  readonly refuse: (error: StorageError) => void
}

type State =
  | { readonly name: 'open' }
  /** What was asked before is still answered. */
  | { readonly name: 'closing'; readonly closed: Promise<void>; readonly since: number }
  | { readonly name: 'lost'; readonly since: number }

/**
 * The engine of another process on this machine, over a socket. Rejects with the errors of that engine, and with
 * STORAGE_UNAVAILABLE once the process is gone: that does not mend, the host starts its processes anew.
 */
export async function openHostedEngine(options: HostedEngineOptions): Promise<Engine> {
  const engine = new HostedEngine(options)
  await engine.greet()
  return engine
}

class HostedEngine implements Engine {
  readonly node = randomBytes(6).toString('hex')
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #options: HostedEngineOptions
  readonly #outlet: Outlet
  readonly #requests = new Map<number, Request>()
  readonly #subscriptions = new Map<number, HostedSubscription>()
  /** By document: what `append` has to tell that its position was reached. */
  readonly #followed = new Map<string, HostedSubscription>()
  #lastId = 0
  #durability: Durability = 'memory'
  #health: EngineHealth = { state: 'ok' }
  #state: State = { name: 'open' }
  #settled: (() => void) | null = null

  constructor(options: HostedEngineOptions) {
    const { socket, clock = systemClock } = options
    this.#options = options
    this.#socket = socket
    this.#clock = clock
    this.#outlet = new Outlet(socket, clock)
    const inlet = new Inlet((frame) => this.#receive(frame))
    socket.on('data', (chunk: Buffer) => inlet.push(chunk))
    // What went wrong is that the host is gone; 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#lost())
  }

  get durability(): Durability {
    return this.#durability
  }

  /** Resolves when the host has answered. */
  async greet(): Promise<void> {
    const write = (outlet: Outlet): Outlet => outlet.byte(VERSION).text(this.node)
    await this.#request(FrameType.hello, write, (frame) => {
      this.#durability = frame.text() as Durability
      this.#setHealth(frame)
    })
  }

  load(document: string): Promise<Loaded> {
    return this.#request(FrameType.load, (outlet) => outlet.text(document), readLoaded)
  }

  tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    return this.#request(FrameType.tail, (outlet) => outlet.text(document).cursor(after), readTail)
  }

  append(document: string, update: Uint8Array): Promise<Cursor> {
    return this.#request(
      FrameType.append,
      (outlet) => outlet.text(document).rest(update),
      (frame) => this.#appended(document, frame),
      update.length,
    )
  }

  compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    const { state, stateVector } = snapshot
    return this.#request(
      FrameType.compact,
      (outlet) => outlet.text(document).cursor(base).cursor(upTo).bytes(stateVector).rest(state),
      (frame) => frame.flag(),
      state.length + stateVector.length,
    )
  }

  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription {
    const id = this.#nextId()
    const subscription = new HostedSubscription(sink, after, () => this.#unsubscribe(id, document))
    if (this.#state.name !== 'open') return subscription
    this.#subscriptions.set(id, subscription)
    this.#followed.set(document, subscription)
    this.#outlet.begin(FrameType.subscribe, id).text(document).cursor(after).end()
    return subscription
  }

  publish(document: string, kind: string, bytes: Uint8Array): void {
    if (this.#state.name !== 'open' || this.#outlet.backlog > MAX_MESSAGE_BACKLOG_BYTES) return
    this.#outlet.begin(FrameType.publish, 0).text(document).text(kind).copy(bytes).end()
  }

  remove(document: string): Promise<void> {
    return this.#request(
      FrameType.remove,
      (outlet) => outlet.text(document),
      () => undefined,
    )
  }

  list({ prefix = '', after = '', limit }: ListQuery): Promise<readonly string[]> {
    return this.#request(FrameType.list, (outlet) => outlet.uint32(limit).text(prefix).text(after), readNames)
  }

  health(): EngineHealth {
    const state = this.#state
    if (state.name === 'open') return this.#health
    const error = state.name === 'closing' ? closedError() : lostError()
    return { state: 'failing', error, since: state.since }
  }

  close(): Promise<void> {
    if (this.#state.name === 'closing') return this.#state.closed
    if (this.#state.name === 'lost') return Promise.resolve()
    const closed = this.#settle()
    this.#state = { name: 'closing', closed, since: this.#clock.now() }
    return closed
  }

  async #settle(): Promise<void> {
    for (const subscription of this.#subscriptions.values()) subscription.end()
    if (this.#requests.size > 0) await new Promise<void>((resolve) => (this.#settled = resolve))
    if (this.#socket.destroyed) return
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve())
      this.#outlet.close()
    })
  }

  /** @param bytes of what is long in it */
  async #request<T>(type: number, write: (outlet: Outlet) => Outlet, read: (frame: Frame) => T, bytes = 0): Promise<T> {
    if (this.#state.name === 'closing') throw closedError()
    if (this.#state.name === 'lost') throw lostError()
    requireFitting(bytes)
    const id = this.#nextId()
    const answered = new Promise<T>((resolve, reject) => {
      this.#requests.set(id, { answer: (frame) => resolve(read(frame)), refuse: reject })
    })
    write(this.#outlet.begin(type, id)).end()
    return answered
  }

  /** Ids are used again after four billion; one that is still waiting for its answer is left out. */
  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) >>> 0
    while (this.#lastId === 0 || this.#requests.has(this.#lastId) || this.#subscriptions.has(this.#lastId))
    return this.#lastId
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.welcome:
      case FrameType.done:
        this.#requests.get(frame.id)?.answer(frame)
        return this.#answered(frame.id)
      case FrameType.failed:
        this.#requests.get(frame.id)?.refuse(readError(frame))
        return this.#answered(frame.id)
      case FrameType.health:
        this.#setHealth(frame)
        return this.#options.onHealth?.(this.#health)
      default:
        // What comes for a subscription that has been ended meanwhile is not wanted any more.
        return this.#subscriptions.get(frame.id)?.receive(frame)
    }
  }

  #answered(id: number): void {
    this.#requests.delete(id)
    if (this.#requests.size === 0) this.#settled?.()
  }

  #appended(document: string, frame: Frame): Cursor {
    const cursor = frame.text()
    const reached = frame.cursor()
    if (reached !== null) this.#followed.get(document)?.reach(reached)
    return cursor
  }

  #setHealth(frame: Frame): void {
    this.#health = readHealth(frame, this.#clock.now())
  }

  #unsubscribe(id: number, document: string): void {
    const subscription = this.#subscriptions.get(id)
    if (subscription === undefined) return
    this.#subscriptions.delete(id)
    if (this.#followed.get(document) === subscription) this.#followed.delete(document)
    if (this.#state.name === 'open') this.#outlet.begin(FrameType.unsubscribe, id).end()
  }

  #lost(): void {
    const wasOpen = this.#state.name === 'open'
    if (wasOpen) this.#state = { name: 'lost', since: this.#clock.now() }
    for (const { refuse } of this.#requests.values()) refuse(lostError())
    this.#requests.clear()
    this.#settled?.()
    if (!wasOpen) return
    this.#options.onLost?.()
    this.#options.onHealth?.(this.health())
  }
}

class HostedSubscription implements Subscription {
  readonly #sink: Sink
  readonly #onEnd: () => void
  #position: Cursor | null
  #ended = false

  constructor(sink: Sink, after: Cursor | null, onEnd: () => void) {
    this.#sink = sink
    this.#position = after
    this.#onEnd = onEnd
  }

  get position(): Cursor | null {
    return this.#position
  }

  /** An entry of this node's own is durable, and all others before it have been given to the sink. */
  reach(cursor: Cursor): void {
    this.#position = cursor
  }

  receive(frame: Frame): void {
    switch (frame.type) {
      case FrameType.entry: {
        const entry = readEntry(frame)
        this.#position = entry.cursor
        return this.#sink.entry(entry)
      }
      case FrameType.reached:
        this.#position = frame.cursor()
        return
      case FrameType.message:
        return this.#sink.message({ from: frame.text(), kind: frame.text(), bytes: frame.rest() })
      case FrameType.left:
        return this.#sink.left(frame.text())
      case FrameType.stale:
        this.end()
        return this.#sink.stale()
    }
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd()
  }
}

/** A new one for each call, so that its stack says who asked. */
function closedError(): StorageError {
  return new StorageError('STORAGE_CLOSED', 'The storage is closed.')
}

function lostError(): StorageError {
  return new StorageError('STORAGE_UNAVAILABLE', 'The process that hosts the storage is gone.')
}
