import { isIP } from 'node:net'
import type * as redis from '@redis/client'
import { toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import { type Address, describeAddress, type Target } from './target.ts'

export type RedisModule = typeof redis

/** What Redis answers; texts of data are Buffers, those of states ("OK") strings. */
export type Reply = Buffer | string | number | null | readonly Reply[]

export type Argument = string | Buffer

/** What is used of the library's client. */
interface Client {
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'sharded-channel-moved', listener: () => void): unknown
  connect(): Promise<unknown>
  sendCommand<T>(args: readonly Argument[]): Promise<T>
  sSubscribe(channels: string[], listener: ChannelListener, buffers: true): Promise<void>
  sUnsubscribe(channel: string, listener: ChannelListener, buffers: true): Promise<void>
  destroy(): void
}

/** Called with every message of a followed channel. Must not throw: the reader of the socket is what called. */
export type ChannelListener = (message: Buffer, channel: Buffer) => void

export interface ConnectionOptions {
  readonly redis: RedisModule
  readonly target: Target
  readonly address: Address
  readonly clock: Clock
  /** Milliseconds without any answer after which a connection that owes one is given up. */
  readonly timeoutMs: number
  /** Called once, unless `destroy` came first. */
  readonly onLost: (error: Error) => void
  /** A cluster has moved the slot of a followed channel: nothing is said here any more. */
  readonly onMoved?: () => void
}

/**
 * Bytes a link carries in a millisecond, at least. What is on its way to the server has so much more time: a document
 * of 36 MB took a busy Redis more than 5 s, was sent again, and was stored several times.
 */
const SLOWEST_LINK = 512

/** How often a connection that owes answers is looked at, as a part of its time limit. */
const LOOKS_PER_TIMEOUT = 5

/**
 * One connection to one server, which ends with the first trouble: the client library would connect again by itself, but
 * whoever follows channels, or has appended, must learn that there was a gap. Commands of one turn leave in one write.
 *
 * The library limits only the time until a command is written (and pays an AbortSignal for each). A server that takes
 * commands and never answers is what hurts, so the limit here is on silence: answers come in order, and while some are
 * owed, one must come within `timeoutMs`; later when much is on its way to it. What it sends is read in pieces of bounded
 * size (`documentReader.ts`), so that every answer fits into that time.
 */
export class Connection {
  readonly address: Address
  readonly #client: Client
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #onLost: (error: Error) => void
  /** Why it ended; null while it has not. */
  #end: Error | null = null
  #owed = 0
  /** Bytes of what has no answer yet. */
  #owedBytes = 0
  #quietSince = 0
  #cancelLook: (() => void) | null = null
  #drained: (() => void) | null = null

  /** Rejects when the server cannot be reached, does not answer, or refuses the login. */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(options)
    await connection.#connect()
    return connection
  }

  private constructor(options: ConnectionOptions) {
    this.address = options.address
    this.#clock = options.clock
    this.#timeoutMs = options.timeoutMs
    this.#onLost = options.onLost
    this.#client = createClient(options)
    this.#client.on('error', (error: Error) => this.#lost(error))
    this.#client.on('sharded-channel-moved', () => options.onMoved?.())
  }

  /** Commands without an answer so far. */
  get owed(): number {
    return this.#owed
  }

  send(args: readonly Argument[]): Promise<Reply> {
    return this.#watch(this.#client.sendCommand<Reply>(args), sizeOf(args))
  }

  /** Resolves when the server has confirmed: whatever is said from then on is heard. */
  follow(channels: string[], listener: ChannelListener): Promise<void> {
    return this.#watch(this.#client.sSubscribe(channels, listener, true))
  }

  unfollow(channel: string, listener: ChannelListener): Promise<void> {
    return this.#watch(this.#client.sUnsubscribe(channel, listener, true))
  }

  /** Resolves when every command has its answer, or the connection is gone. */
  async drained(): Promise<void> {
    if (this.#owed > 0 && this.#end === null) await new Promise<void>((resolve) => (this.#drained = resolve))
  }

  /** Ends it at once; what has no answer yet is rejected. */
  destroy(): void {
    this.#finish(new Error('the connection was given up'))
  }

  async #connect(): Promise<void> {
    let cancel = (): void => {}
    const late = new Promise<never>((_resolve, reject) => {
      cancel = this.#clock.after(this.#timeoutMs, () => reject(this.#silence()))
    })
    try {
      await Promise.race([this.#client.connect(), late])
    } catch (thrown) {
      const error = toError(thrown)
      this.#finish(error)
      throw error
    } finally {
      cancel()
    }
  }

  #watch<T>(answer: Promise<T>, bytes = 0): Promise<T> {
    if (this.#owed === 0) this.#quietSince = this.#clock.now()
    this.#owed += 1
    this.#owedBytes += bytes
    this.#cancelLook ??= this.#lookLater()
    return answer.then(
      (value) => {
        this.#settled(bytes)
        return value
      },
      (error: unknown) => {
        this.#settled(bytes)
        // What the library says of commands it could not finish is that it was told to stop.
        throw this.#end ?? toError(error)
      },
    )
  }

  #settled(bytes: number): void {
    this.#owed -= 1
    this.#owedBytes -= bytes
    this.#quietSince = this.#clock.now()
    if (this.#owed > 0) return
    this.#drained?.()
    this.#drained = null
  }

  #lookLater(): () => void {
    return this.#clock.after(this.#timeoutMs / LOOKS_PER_TIMEOUT, () => {
      this.#cancelLook = null
      if (this.#owed === 0) return
      const limit = this.#timeoutMs + this.#owedBytes / SLOWEST_LINK
      if (this.#clock.now() - this.#quietSince >= limit) this.#lost(this.#silence())
      else this.#cancelLook = this.#lookLater()
    })
  }

  #silence(): Error {
    return new Error(`${describeAddress(this.address)} does not answer (for ${String(this.#timeoutMs / 1000)} s)`)
  }

  #lost(error: Error): void {
    if (this.#end !== null) return
    this.#finish(error)
    this.#onLost(error)
  }

  #finish(reason: Error): void {
    this.#end ??= reason
    this.#cancelLook?.()
    this.#cancelLook = null
    this.#client.destroy()
    this.#drained?.()
    this.#drained = null
  }
}

function sizeOf(args: readonly Argument[]): number {
  return args.reduce((sum, arg) => sum + arg.length, 0)
}

function createClient({ redis, target, address, timeoutMs }: ConnectionOptions): Client {
  const { username, password, tls, database } = target
  const socket = { ...address, connectTimeout: timeoutMs, reconnectStrategy: false as const }
  return redis.createClient({
    socket: tls ? { ...socket, tls: true, ...serverName(address) } : socket,
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    database,
    name: 'scriptorium',
    // Documents are bytes: without this they would be decoded as UTF-8, and broken.
    commandOptions: { typeMapping: { [redis.RESP_TYPES.BLOB_STRING]: Buffer }, timeout: 0 },
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
  })
}

/** For servers that have several certificates; an address is not a name. */
function serverName({ host }: Address): { readonly servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {}
}
