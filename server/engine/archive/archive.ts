import type { EngineHealth, ListQuery, Snapshot } from '../engine.ts'

/**
 * Names one kept part of one document for ever: short ASCII without spaces, unique to the `put` that made it. Not derived
 * from the content: a document that wakes up and goes cold again unchanged would get the name of a part that somebody
 * else may be dropping at this moment.
 */
export type ArchiveReference = string

/**
 * Where documents rest that nobody has used for long, out of the engine's memory. A part is a whole state of the document
 * at some time and never changes. Several parts of one document are merged, in any order and as often as one likes: a
 * part too many is harmless, only a lost one is not.
 *
 * Every method rejects with `StorageError`; every implementation passes `server/testing/archiveContract.ts`.
 */
export interface Archive {
  /**
   * Keeps one part; resolves once it is durable. After a rejection the outcome is unknown: the part may be kept, under a
   * reference that only `list` knows. The bytes must not be changed until then.
   */
  put(document: string, part: Snapshot): Promise<ArchiveReference>
  /**
   * References of all parts kept of this document, oldest first; [] only when there are none: a failed or impossible look
   * rejects.
   */
  list(document: string): Promise<readonly ArchiveReference[]>
  /**
   * @throws StorageError ARCHIVE_DAMAGED when the part is not there, or not what was put there: a document is never
   *   served without its archived part. STORAGE_UNAVAILABLE when that is not known; the same call may succeed later.
   */
  get(document: string, reference: ArchiveReference): Promise<Snapshot>
  /**
   * Removes these parts and no other: who folds parts into a newer one names exactly those it has read, after the newer
   * one is durable. One that is not there is no error. After a rejection some may be gone.
   */
  drop(document: string, references: readonly ArchiveReference[]): Promise<void>
  /** Names of documents of which at least one part is kept, each once, ordered by their UTF-8 bytes. */
  names(query: ListQuery): Promise<readonly string[]>
  /** What the last call found; never asks. */
  health(): EngineHealth
  /** Lets what was called before it finish; everything after it rejects STORAGE_CLOSED. Idempotent. */
  close(): Promise<void>
}
