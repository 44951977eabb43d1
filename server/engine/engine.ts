import type { StorageError } from '../../shared/errors.ts'

/**
 * A place in one document's log: "<epoch>-<sequence>". Sequences start at 1 and are dense inside an epoch, so that a
 * hole is visible. Opaque to everyone but the engine that made it.
 */
export type Cursor = string

/** One durable record: a Yjs update, format V1. */
export interface Entry {
  readonly cursor: Cursor
  readonly update: Uint8Array
}

/** A whole document, encoded: its state as one V1 update, and its state vector, so that it can be served unread. */
export interface Snapshot {
  readonly state: Uint8Array
  readonly stateVector: Uint8Array
}

/** One atomic view of a document. A document never written has neither snapshot nor tail, and `head` is null. */
export interface Loaded {
  /** The last entry the snapshot contains; null without a snapshot. Hand it back to `compact` unchanged. */
  readonly base: Cursor | null
  readonly snapshot: Snapshot | null
  /** Entries after `base`, oldest first. */
  readonly tail: readonly Entry[]
  /** The last entry written; null when none ever was. */
  readonly head: Cursor | null
  /** True when records were unreadable: what is valid is here, what is not has been quarantined (see SPEC E7). */
  readonly damaged: boolean
}

export type EngineHealth =
  { readonly state: 'ok' } | { readonly state: 'failing'; readonly error: StorageError; readonly since: number }

export interface ListQuery {
  /** Only names that begin with this; default: all. */
  readonly prefix?: string
  /** Only names after this one, in the engine's own (stable) order; the last name of the previous page. */
  readonly after?: string
  /** At most this many names. */
  readonly limit: number
}

/** What nodes tell one another about a document, besides its log: lost when nobody listens, never repeated by the engine. */
export interface Message {
  /** `Engine.node` of the sender. */
  readonly from: string
  /** Short ASCII; who does not know it ignores the message, so that nodes of different versions get along. */
  readonly kind: string
  readonly bytes: Uint8Array
}

/**
 * Who follows a document. Called in a turn of the event loop of its own, never from inside a method of the engine; must
 * not throw, and must copy what it keeps of a message.
 */
export interface Sink {
  /** Somebody else's entry, durable. In the order of the log, without a hole; sometimes a second time. */
  entry(entry: Entry): void
  /** Never one's own. */
  message(message: Message): void
  /**
   * The order cannot be kept: entries were trimmed before they could be fetched, or the storage lost some that were
   * durable (a failover, a restart without its data). Nothing more is given to this sink. `load`, compare, append again
   * what the storage no longer has, and subscribe anew.
   */
  stale(): void
  /** A node is known to be gone. An engine that cannot know says nothing. */
  left(node: string): void
}

export interface Subscription {
  /**
   * The last entry up to which nothing is missing: all before it, and it, have been given to the sink or were appended
   * by this node. What may be handed to `compact` as `upTo`; later entries may exist, also of our own.
   */
  readonly position: Cursor | null
  /** From now on the sink is left alone. Idempotent. */
  end(): void
}

/**
 * Where updates become durable, and how they reach the other nodes that share the storage. Yjs updates commute and
 * applying one twice changes nothing, so order, duplicates and concurrent writers are harmless; only loss is not. Every
 * method that returns a promise rejects with `StorageError`; every implementation passes
 * `server/testing/engineContract.ts`.
 */
export interface Engine {
  /** Names this process among all that share the storage; another one after every start. Short ASCII. */
  readonly node: string
  readonly durability: Durability
  /** One atomic view of the document; `damaged` never hides what is still valid, and a failed read never looks empty. */
  load(document: string): Promise<Loaded>
  /** Entries after `after`, or 'trimmed' when compaction has dropped some of them: load again then. */
  tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'>
  /**
   * Resolves once the update is durable at the configured level. After a rejection the outcome is unknown: append it
   * again (at least once; a second copy is harmless). The bytes must not be changed until then.
   */
  append(document: string, update: Uint8Array): Promise<Cursor>
  /**
   * Replaces everything up to and including `upTo` by the snapshot, in one atomic step. Compare-and-swap: false, and
   * nothing changed, unless `base` is still what `load` returned or what the last successful `compact` had as `upTo`.
   * The entries since the generation before stay readable until the next compaction.
   */
  compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean>
  /**
   * Follows the document from `after` on, which is the `head` of what `load` returned. Never fails: while the storage
   * cannot be reached nothing comes, and what was missed comes afterwards. One subscription per document and node.
   */
  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription
  /** Tells the other nodes that have subscribed; best effort, and nobody learns whether it arrived. */
  publish(document: string, kind: string, bytes: Uint8Array): void
  /** Removes the document and everything about it. Removing one that does not exist is no error. */
  remove(document: string): Promise<void>
  list(query: ListQuery): Promise<readonly string[]>
  health(): EngineHealth
  /** Flushes what is in flight and releases the storage. Idempotent. */
  close(): Promise<void>
}

/**
 * What "durable" means, weakest promise last:
 * `fsync`: on the disk, survives power loss. `everysec`: on the disk within a second (Redis); up to two seconds are lost
 * when the machine or the Redis process dies, nothing when ours does. `os`: handed to the operating system, survives
 * `kill -9` of the process but not power loss. `memory`: kept in the process, survives nothing; for tests and throw-away
 * servers.
 */
export type Durability = 'fsync' | 'everysec' | 'os' | 'memory'
