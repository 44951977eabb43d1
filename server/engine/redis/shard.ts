import type { StorageError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { Durability, EngineHealth } from '../engine.ts'
import type { Connection } from './connection.ts'
import { asStorageError, isServerTrouble, replyCode } from './errors.ts'
import { Line } from './line.ts'

/** Milliseconds between attempts to write to a server that answers, but refuses writes. */
const PROBE_MS = 1_000
const PROBE_TTL_MS = 60_000

type Status =
  | { readonly name: 'opening' }
  | { readonly name: 'ok' }
  | { readonly name: 'down'; readonly error: StorageError; readonly since: number }
  | { readonly name: 'refusing'; readonly error: StorageError; readonly since: number; readonly cancel: () => void }

export interface ShardEvents {
  /** A connection for channels is there: nothing is followed on it yet. */
  readonly onFeed: (shard: Shard, feed: Connection) => void
  /** A connection for commands is there: what was known before may not be true any more. */
  readonly onCommands: (shard: Shard) => void
  readonly onStatus: (shard: Shard) => void
}

export interface ShardOptions {
  readonly clock: Clock
  /** Opens a connection to whoever is this shard's master now. */
  readonly open: (use: 'commands' | 'feed', onLost: (error: Error) => void) => Promise<Connection>
  readonly events: ShardEvents
}

/**
 * One master with two connections: one for commands, one for channels, so that a large update on its way to us does not
 * stand in front of an answer, and a subscriber that Redis drops for reading too slowly is not also a writer.
 */
export class Shard {
  /** As the server was when last connected to; null: never. */
  durability: Durability | null = null
  /** `Clock.now()` when another server, or the same one after a restart, took the place of one; null: that has not happened. */
  replacedAt: number | null = null
  /** Redis' `run_id`, another one after every start. */
  #run: string | null = null
  readonly #clock: Clock
  readonly #events: ShardEvents
  readonly #commands: Line
  readonly #feed: Line
  #status: Status = { name: 'opening' }

  constructor({ clock, open, events }: ShardOptions) {
    this.#clock = clock
    this.#events = events
    this.#commands = new Line({
      clock,
      open: (onLost) => open('commands', onLost),
      onOpen: () => this.#opened(),
      onDown: (error) => this.#down(error),
    })
    this.#feed = new Line({
      clock,
      open: (onLost) => open('feed', onLost),
      onOpen: (connection) => this.#fed(connection),
      // What is missed meanwhile is fetched afterwards; that it is missed shows in no promise.
      onDown: () => undefined,
    })
  }

  get commands(): Connection | null {
    return this.#commands.connection
  }

  get feed(): Connection | null {
    return this.#feed.connection
  }

  get isReady(): boolean {
    return this.commands !== null && this.feed !== null
  }

  /** To be told of every connection: which start of which server it leads to. */
  leadsTo(run: string): void {
    if (this.#run !== null && this.#run !== run) this.replacedAt = this.#clock.now()
    this.#run = run
  }

  health(): EngineHealth {
    const status = this.#status
    if (status.name === 'ok' || status.name === 'opening') return { state: 'ok' }
    return { state: 'failing', error: status.error, since: status.since }
  }

  /** To be told what writes have come to: `thrown` is what the server, or the connection, said. */
  failed(thrown: Error, probeKey: string): void {
    if (replyCode(thrown) === 'READONLY') this.#commands.restart(thrown)
    if (!isServerTrouble(thrown) || this.#status.name !== 'ok') return
    const error = asStorageError('Writing to Redis', thrown)
    this.#set({ name: 'refusing', error, since: this.#clock.now(), cancel: this.#probeLater(probeKey) })
  }

  succeeded(): void {
    if (this.#status.name === 'refusing') this.#set({ name: 'ok' })
  }

  /** The commands lead to a server that is not the master any more; the feed will follow. */
  restart(reason: Error): void {
    this.#commands.restart(reason)
  }

  close(): void {
    if (this.#status.name === 'refusing') this.#status.cancel()
    this.#commands.close()
    this.#feed.close()
  }

  #opened(): void {
    this.#set({ name: 'ok' })
    this.#align()
    this.#events.onCommands(this)
  }

  #fed(feed: Connection): void {
    this.#events.onFeed(this, feed)
    this.#align()
  }

  /** After a failover one of the two may still lead to the old master, which says nothing any more. */
  #align(): void {
    const { commands, feed } = this
    if (commands === null || feed === null) return
    const same = commands.address.host === feed.address.host && commands.address.port === feed.address.port
    if (!same) this.#feed.restart(new Error('the commands go elsewhere'))
  }

  #down(thrown: Error): void {
    const error = asStorageError('Connecting to Redis', thrown)
    const since = this.#status.name === 'down' ? this.#status.since : this.#clock.now()
    this.#set({ name: 'down', error, since })
  }

  #probeLater(probeKey: string): () => void {
    return this.#clock.after(PROBE_MS, () => {
      const status = this.#status
      if (status.name !== 'refusing') return
      const again = { ...status, cancel: this.#probeLater(probeKey) }
      this.#status = again
      this.commands?.send(['SET', probeKey, '1', 'PX', String(PROBE_TTL_MS)]).then(
        () => this.succeeded(),
        () => undefined, // still refusing, or the connection is gone and says so
      )
    })
  }

  #set(status: Status): void {
    if (this.#status.name === 'refusing') this.#status.cancel()
    const before = this.#status.name
    this.#status = status
    if (before !== status.name) this.#events.onStatus(this)
  }
}
