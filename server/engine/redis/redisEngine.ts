import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../clock.ts'
import type { Archive } from '../archive/archive.ts'
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
import { ArchivedDocuments } from './archivedDocuments.ts'
import { Archiver } from './archiver.ts'
import { type Documents, RedisDocuments } from './documents.ts'
import { DocumentStore } from './documentStore.ts'
import { closedError } from './errors.ts'
import type { Follower } from './follower.ts'
import { Followers } from './followers.ts'
import { type DocumentKeys, KeySpace } from './keys.ts'
import { mergeUpdates } from '../mergeUpdates.ts'
import { encodeMessage } from './message.ts'
import { NameIndex } from './nameIndex.ts'
import { Servers } from './servers.ts'
import { parseTarget } from './target.ts'

export interface RedisEngineOptions {
  /** See `TARGET_FORMS`. */
  readonly url: string
  /** In front of every key; default `scriptorium:`. */
  readonly prefix?: string
  /** Default: the real one. */
  readonly clock?: Clock
  /** Milliseconds a server that owes answers may be silent before everything asked of it is rejected; default 5,000. */
  readonly timeoutMs?: number
  /** Milliseconds to wait for a first connection; default 10,000. A wrong password is not waited for. */
  readonly patienceMs?: number
  /** Where documents go that nobody has used for so many seconds (at least 5); closed with the engine. Default: nowhere. */
  readonly archive?: { readonly archive: Archive; readonly idleSeconds: number }
  /** Called on every change between working and not working. Must not throw. */
  readonly onHealth?: (health: EngineHealth) => void
  /** One sentence that the operator should read, each once. Must not throw. */
  readonly onWarning?: (warning: string) => void
  /** Something on a document's channel could not be understood, and was ignored. Must not throw. */
  readonly onPoison?: (document: string) => void
}

const DEFAULT_PREFIX = 'scriptorium:'
const DEFAULT_TIMEOUT_MS = 5_000
const DEFAULT_PATIENCE_MS = 10_000

/**
 * Documents in Redis 7.0 or newer, or Valkey: by itself, behind sentinels, or a cluster. Throws StorageError
 * (STORAGE_UNAVAILABLE, STORAGE_FOREIGN) or InvalidOptionError; each message is one sentence that says what to do, and
 * never holds a password.
 */
export async function openRedisEngine(options: RedisEngineOptions): Promise<Engine> {
  const clock = options.clock ?? systemClock
  const target = parseTarget(options.url)
  const node = randomBytes(6).toString('hex')
  const keySpace = new KeySpace(options.prefix ?? DEFAULT_PREFIX, target.database)
  const parts: { followers?: Followers } = {}
  const servers = new Servers({
    target,
    clock,
    keySpace,
    timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
    onHealth: options.onHealth ?? (() => undefined),
    onWarning: options.onWarning ?? (() => undefined),
    onFeed: () => parts.followers?.align(),
    onCommands: (shard) => parts.followers?.doubt(shard),
  })
  const shards = await servers.open(options.patienceMs ?? DEFAULT_PATIENCE_MS)
  const names = new NameIndex(shards, keySpace)
  const store = new DocumentStore({ shards, names, node, clock })
  const followers = new Followers({
    clock,
    node,
    store,
    shards,
    oneSlotPerCommand: target.mode === 'cluster',
    onPoison: options.onPoison ?? (() => undefined),
  })
  parts.followers = followers
  return new RedisEngine(node, {
    servers,
    store,
    followers,
    keySpace,
    ...documentParts(options, { store, names, keySpace }),
  })
}

interface Kept {
  readonly store: DocumentStore
  readonly names: NameIndex
  readonly keySpace: KeySpace
}

function documentParts(options: RedisEngineOptions, kept: Kept): Pick<Parts, 'documents' | 'archiver'> {
  if (options.archive === undefined) return { documents: new RedisDocuments(kept.store, kept.names), archiver: null }
  const { archive, idleSeconds } = options.archive
  const documents = new ArchivedDocuments({ ...kept, archive, merge: mergeUpdates })
  const onFailed = (error: Error): void => options.onWarning?.(`Documents stay in Redis for now: ${error.message}`)
  const archiver = new Archiver({ ...kept, clock: options.clock ?? systemClock, documents, idleSeconds, onFailed })
  return { documents, archiver }
}

interface Parts {
  readonly servers: Servers
  readonly store: DocumentStore
  readonly documents: Documents
  readonly archiver: Archiver | null
  readonly followers: Followers
  readonly keySpace: KeySpace
}

class RedisEngine implements Engine {
  readonly node: string
  readonly #servers: Servers
  readonly #store: DocumentStore
  readonly #documents: Documents
  readonly #archiver: Archiver | null
  readonly #followers: Followers
  readonly #keySpace: KeySpace
  #closing: Promise<void> | null = null
  /** Calls that have no answer yet. */
  #active = 0
  #settled: (() => void) | null = null

  constructor(node: string, parts: Parts) {
    this.node = node
    this.#servers = parts.servers
    this.#store = parts.store
    this.#documents = parts.documents
    this.#archiver = parts.archiver
    this.#followers = parts.followers
    this.#keySpace = parts.keySpace
  }

  /** The weakest of all servers, as they were when last connected to. */
  get durability(): Durability {
    return this.#servers.durability
  }

  load(document: string): Promise<Loaded> {
    const keys = this.#keySpace.of(document)
    return this.#use(() => this.#documents.load(keys, this.#followers.holds(keys)))
  }

  tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    return this.#use(() => this.#store.tail(this.#keySpace.of(document), after))
  }

  append(document: string, update: Uint8Array): Promise<Cursor> {
    return this.#use(() => {
      const keys = this.#keySpace.of(document)
      const follower = this.#followers.get(keys)
      const name = this.#store.nextAppend()
      return follower === null ? this.#appendUnheard(keys, name, update) : this.#append(follower, name, update)
    })
  }

  async #appendUnheard(keys: DocumentKeys, name: string, update: Uint8Array): Promise<Cursor> {
    return (await this.#documents.append(keys, { name, update, known: null, listens: false })).cursor
  }

  async #append(follower: Follower, name: string, update: Uint8Array): Promise<Cursor> {
    follower.appending(name)
    try {
      const append = { name, update, known: follower.known, listens: this.#followers.hears(follower.keys) }
      const { cursor, previous } = await this.#documents.append(follower.keys, append)
      follower.appended(cursor, previous)
      return cursor
    } catch (error) {
      const cursor = follower.appendFailed(name)
      if (cursor === null) throw error
      return cursor
    }
  }

  compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    return this.#use(() => this.#store.compact(this.#keySpace.of(document), base, upTo, snapshot))
  }

  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription {
    return this.#followers.follow(this.#keySpace.of(document), after, sink)
  }

  publish(document: string, kind: string, bytes: Uint8Array): void {
    if (this.#closing !== null) return
    this.#store.say(this.#keySpace.of(document), encodeMessage(this.node, kind, bytes))
  }

  remove(document: string): Promise<void> {
    return this.#use(() => this.#documents.remove(this.#keySpace.of(document)))
  }

  list(query: ListQuery): Promise<readonly string[]> {
    return this.#use(() => this.#documents.list(query))
  }

  health(): EngineHealth {
    return this.#servers.health()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Everything that was asked for gets its answer first, as long as there is somebody to give it. */
  async #close(): Promise<void> {
    this.#followers.sayLeft()
    this.#followers.close()
    await this.#archiver?.close()
    if (this.#active > 0) await new Promise<void>((resolve) => (this.#settled = resolve))
    await this.#documents.close()
    await this.#servers.close()
  }

  async #use<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closing !== null) throw closedError()
    this.#active += 1
    try {
      return await work()
    } finally {
      this.#active -= 1
      if (this.#active === 0) this.#settled?.()
    }
  }
}
