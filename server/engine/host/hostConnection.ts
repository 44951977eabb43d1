import type { Socket } from 'node:net'
import { StorageError, toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { Cursor, Engine, EngineHealth, Message, Sink } from '../engine.ts'
import { writeError, writeHealth, writeLoaded, writeNames, writeTail } from './codec.ts'
import { FrameType, VERSION } from './frames.ts'
import type { Frame } from './frames.ts'
import { HostedFollower } from './hostedFollower.ts'
import type { Following } from './hostedFollower.ts'
import { Inlet } from './inlet.ts'
import { Outlet } from './outlet.ts'

/**
 * Bytes waiting for a process above which nothing is read from it, entries of others are left in the log until it has
 * caught up, and messages of others are left out. A process that stands still costs this much, and what it had asked for.
 */
const HIGH_WATER_BYTES = 16 * 1024 * 1024

/** What a connection needs of its host. */
export interface Host {
  readonly engine: Engine
  append(node: string, document: string, update: Uint8Array): Promise<Cursor>
  publish(document: string, message: Message): void
  follow(node: string, document: string, after: Cursor | null, sink: Sink): Following
  unfollow(follower: HostedFollower): void
  /** @param node null when it never said who it is */
  gone(connection: HostConnection, node: string | null, error: Error | null): void
}

type State =
  /** It has not said yet who it is. */
  { readonly name: 'silent' } | { readonly name: 'serving'; readonly node: string } | { readonly name: 'gone' }

/** One process that uses the engine. */
export class HostConnection {
  readonly #host: Host
  readonly #socket: Socket
  readonly #outlet: Outlet
  readonly #followers = new Map<number, HostedFollower>()
  /** One subscription per document and process: the newest. */
  readonly #byDocument = new Map<string, HostedFollower>()
  #state: State = { name: 'silent' }
  #catchingUp = false

  constructor(host: Host, socket: Socket, clock: Clock) {
    this.#host = host
    this.#socket = socket
    this.#outlet = new Outlet(socket, clock, () => this.#drained())
    const inlet = new Inlet((frame) => this.#receive(frame))
    socket.on('data', (chunk: Buffer) => this.#read(inlet, chunk))
    // A process that is killed resets its socket; 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#gone(null))
  }

  followerOf(document: string): HostedFollower | undefined {
    return this.#byDocument.get(document)
  }

  tellHealth(health: EngineHealth): void {
    if (this.#state.name === 'serving') writeHealth(this.#outlet.begin(FrameType.health, 0), health).end()
  }

  /** Those who do not follow just now would not hear it from anybody else. */
  tellLeft(node: string): void {
    for (const follower of this.#followers.values()) if (follower.isBehind) follower.left(node)
  }

  end(): void {
    this.#outlet.close()
  }

  #congested(): boolean {
    return this.#outlet.backlog > HIGH_WATER_BYTES
  }

  #read(inlet: Inlet, chunk: Buffer): void {
    try {
      inlet.push(chunk)
    } catch (error) {
      this.#gone(toError(error))
    }
    if (this.#congested()) this.#socket.pause()
  }

  #drained(): void {
    if (this.#congested()) return
    this.#socket.resume()
    if (!this.#catchingUp) void this.#catchUp()
  }

  /** One after the other: what many documents have missed might be more than there is memory. */
  async #catchUp(): Promise<void> {
    this.#catchingUp = true
    for (const follower of this.#followers.values()) {
      if (this.#congested() || this.#state.name === 'gone') break
      if (follower.isBehind) await follower.followAgain()
    }
    this.#catchingUp = false
  }

  #receive(frame: Frame): void {
    if (this.#state.name === 'silent') return this.#greeted(frame)
    if (this.#state.name === 'serving') this.#serve(frame, this.#state.node)
  }

  #greeted(frame: Frame): void {
    if (frame.type !== FrameType.hello || frame.byte() !== VERSION) throw new RangeError('not a process of this build')
    this.#state = { name: 'serving', node: frame.text() }
    const { engine } = this.#host
    writeHealth(this.#outlet.begin(FrameType.welcome, frame.id).text(engine.durability), engine.health()).end()
  }

  #serve(frame: Frame, node: string): void {
    switch (frame.type) {
      case FrameType.append:
        return this.#append(frame, node)
      case FrameType.publish:
        return this.#host.publish(frame.text(), { from: node, kind: frame.text(), bytes: frame.rest() })
      case FrameType.subscribe:
        return this.#subscribe(frame, node)
      case FrameType.unsubscribe:
        return this.#unsubscribe(frame.id)
      default:
        return this.#ask(frame)
    }
  }

  /** What is not about who asks. */
  #ask(frame: Frame): void {
    const { id } = frame
    const { engine } = this.#host
    switch (frame.type) {
      case FrameType.load:
        return this.#answer(id, engine.load(frame.text()), (loaded) => writeLoaded(this.#outlet, id, loaded))
      case FrameType.tail:
        return this.#answer(id, engine.tail(frame.text(), frame.text()), (tail) => writeTail(this.#outlet, id, tail))
      case FrameType.compact:
        return this.#answer(id, this.#compact(frame), (done) => this.#done(id).flag(done).end())
      case FrameType.remove:
        return this.#answer(id, engine.remove(frame.text()), () => this.#done(id).end())
      case FrameType.list:
        return this.#answer(id, this.#list(frame), (names) => writeNames(this.#outlet, id, names))
      default:
        throw new RangeError(`a frame of type ${frame.type}`)
    }
  }

  #append(frame: Frame, node: string): void {
    const document = frame.text()
    this.#answer(frame.id, this.#host.append(node, document, frame.rest()), (cursor) => {
      const reached = this.#byDocument.get(document)?.reached ?? null
      this.#done(frame.id).cursor(cursor).cursor(reached).end()
    })
  }

  #compact(frame: Frame): Promise<boolean> {
    const [document, base, upTo] = [frame.text(), frame.cursor(), frame.text()]
    const stateVector = frame.bytes()
    return this.#host.engine.compact(document, base, upTo, { stateVector, state: frame.rest() })
  }

  #list(frame: Frame): Promise<readonly string[]> {
    const [limit, prefix, after] = [frame.uint32(), frame.text(), frame.text()]
    return this.#host.engine.list({ limit, prefix, ...(after === '' ? {} : { after }) })
  }

  #subscribe(frame: Frame, node: string): void {
    const { id } = frame
    const [document, after] = [frame.text(), frame.cursor()]
    const follower = new HostedFollower({
      document,
      after,
      id,
      outlet: this.#outlet,
      congested: () => this.#congested(),
      follow: (from, sink) => this.#host.follow(node, document, from, sink),
      onStale: () => this.#unsubscribe(id),
    })
    this.#followers.set(id, follower)
    this.#byDocument.set(document, follower)
  }

  #unsubscribe(id: number): void {
    const follower = this.#followers.get(id)
    if (follower === undefined) return
    this.#followers.delete(id)
    if (this.#byDocument.get(follower.document) === follower) this.#byDocument.delete(follower.document)
    follower.end()
    this.#host.unfollow(follower)
  }

  #answer<T>(id: number, asked: Promise<T>, write: (value: T) => void): void {
    asked.then(write).catch((error: unknown) => {
      const told =
        error instanceof StorageError ? error : new StorageError('STORAGE_UNAVAILABLE', toError(error).message)
      writeError(this.#outlet.begin(FrameType.failed, id), told).end()
    })
  }

  #done(id: number): Outlet {
    return this.#outlet.begin(FrameType.done, id)
  }

  #gone(error: Error | null): void {
    if (this.#state.name === 'gone') return
    const node = this.#state.name === 'serving' ? this.#state.node : null
    this.#state = { name: 'gone' }
    this.#socket.destroy()
    for (const id of this.#followers.keys()) this.#unsubscribe(id)
    this.#host.gone(this, node, error)
  }
}
