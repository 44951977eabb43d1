import type { Socket } from 'node:net'
import { systemClock } from '../../clock.ts'
import type { Clock } from '../../clock.ts'
import type { Cursor, Engine, Message, Sink } from '../engine.ts'
import { Fanout } from '../fanout.ts'
import type { Missed } from '../fanout.ts'
import { HostConnection } from './hostConnection.ts'
import type { Host } from './hostConnection.ts'
import type { Following, HostedFollower } from './hostedFollower.ts'

export interface EngineHostOptions {
  /** Opened and closed by whoever creates the host; nobody else appends to it. */
  readonly engine: Engine
  /** Default: the real one. */
  readonly clock?: Clock
  /** A connection was given up because of what came over it. Must not throw. */
  readonly onError?: (error: Error) => void
}

/**
 * Lets several processes of one machine share an engine that only one of them can open. To each it is a `HostedEngine`;
 * what one appends or publishes, the others that follow the document are told.
 */
export class EngineHost implements Host {
  readonly engine: Engine
  readonly #clock: Clock
  readonly #onError: (error: Error) => void
  readonly #fanout = new Fanout()
  readonly #connections = new Set<HostConnection>()
  /** After an append that failed, the log may hold an entry that nobody was told of. */
  readonly #doubtful = new Set<HostedFollower>()

  constructor({ engine, clock = systemClock, onError = () => {} }: EngineHostOptions) {
    this.engine = engine
    this.#clock = clock
    this.#onError = onError
  }

  /** Serves the process at the other end until it goes. */
  serve(socket: Socket): void {
    this.#connections.add(new HostConnection(this, socket, this.#clock))
  }

  /** To be called whenever the engine's health has changed. */
  healthChanged(): void {
    for (const connection of this.#connections) connection.tellHealth(this.engine.health())
  }

  /** Ends all connections; the engine stays open. */
  close(): void {
    for (const connection of this.#connections) connection.end()
  }

  async append(node: string, document: string, update: Uint8Array): Promise<Cursor> {
    try {
      const cursor = await this.engine.append(document, update)
      this.#settleDoubts(document)
      this.#fanout.appended(node, document, { cursor, update })
      return cursor
    } catch (error) {
      this.#doubt(document)
      throw error
    }
  }

  publish(document: string, message: Message): void {
    this.#fanout.published(document, message)
  }

  follow(node: string, document: string, after: Cursor | null, sink: Sink): Following {
    const missed = this.#missed(document, after)
    const subscription = this.#fanout.follow({ node, document, after, sink }, missed)
    const caughtUp = missed.then(
      () => undefined,
      () => undefined,
    )
    return { subscription, caughtUp }
  }

  unfollow(follower: HostedFollower): void {
    this.#doubtful.delete(follower)
  }

  gone(connection: HostConnection, node: string | null, error: Error | null): void {
    this.#connections.delete(connection)
    if (error !== null) this.#onError(error)
    if (node === null) return
    this.#fanout.left(node)
    for (const other of this.#connections) other.tellLeft(node)
  }

  #doubt(document: string): void {
    for (const connection of this.#connections) {
      const follower = connection.followerOf(document)
      if (follower !== undefined) this.#doubtful.add(follower)
    }
  }

  #settleDoubts(document: string): void {
    for (const follower of this.#doubtful) {
      if (follower.document !== document) continue
      this.#doubtful.delete(follower)
      void follower.followAgain()
    }
  }

  async #missed(document: string, after: Cursor | null): Promise<Missed> {
    if (after !== null) return this.engine.tail(document, after)
    const { snapshot, tail } = await this.engine.load(document)
    return snapshot === null ? tail : 'trimmed'
  }
}
