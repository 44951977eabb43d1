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

/**
 * Where updates become durable. Yjs updates commute and applying one twice changes nothing, so order, duplicates and
 * concurrent writers are harmless; only loss is not. Every method rejects with `StorageError`; every implementation
 * passes `server/testing/engineContract.ts`.
 */
export interface Engine {
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
   * The previous generation (snapshot and entries) stays readable until the next compaction.
   */
  compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean>
  /** Removes the document and everything about it. Removing one that does not exist is no error. */
  remove(document: string): Promise<void>
  list(query: ListQuery): Promise<readonly string[]>
  health(): EngineHealth
  /** Flushes what is in flight and releases the storage. Idempotent. */
  close(): Promise<void>
}

/**
 * What "durable" means, weakest promise last:
 * `fsync`: on the disk, survives power loss. `os`: handed to the operating system, survives `kill -9` of the process
 * but not power loss. `memory`: kept in the process, survives nothing; for tests and throw-away servers.
 */
export type Durability = 'fsync' | 'os' | 'memory'
