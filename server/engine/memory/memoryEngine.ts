import { randomBytes } from 'node:crypto'
import { StorageError } from '../../../shared/errors.ts'
import { formatCursor, parseCursor } from '../cursor.ts'
import type { Cursor, Engine, EngineHealth, Entry, ListQuery, Loaded, Sink, Snapshot, Subscription } from '../engine.ts'
import { Fanout } from '../fanout.ts'
import type { Missed } from '../fanout.ts'

interface Generation {
  readonly base: number
  readonly snapshot: Snapshot
}

interface StoredDocument {
  /** Entries after `previous`, the oldest first. */
  entries: Entry[]
  current: Generation | null
  /** Last entry contained in the snapshot before the current one; 0 without one. */
  previous: number
  head: number
}

/** What several memory engines share, as several nodes share one database. */
export class MemoryStore {
  readonly documents = new Map<string, StoredDocument>()
  readonly fanout = new Fanout()
  #epoch = newEpoch()

  get epoch(): string {
    return this.#epoch
  }

  /** Forgets the newest entries of a document, as a database does that falls back to a copy which lagged behind. */
  lose(document: string, count: number): void {
    const stored = this.documents.get(document)
    if (stored === undefined) return
    const lost = Math.min(count, stored.head - (stored.current?.base ?? 0))
    stored.entries.splice(stored.entries.length - lost)
    stored.head -= lost
    if (stored.head === 0) this.documents.delete(document)
    // Sequences are used a second time: cursors of before must not be taken for those of now.
    this.#epoch = newEpoch()
    this.fanout.lost()
  }
}

/**
 * Keeps documents in the process: nothing survives it. For tests, demonstrations and throw-away servers. Copies what it
 * is given, so that a caller who reuses a buffer cannot change what is stored.
 */
export class MemoryEngine implements Engine {
  readonly node = randomBytes(6).toString('hex')
  readonly durability = 'memory'
  readonly #store: MemoryStore
  #closed = false

  /** @param store default: one that nobody else uses */
  constructor(store = new MemoryStore()) {
    this.#store = store
  }

  async load(document: string): Promise<Loaded> {
    this.#requireOpen()
    const stored = this.#store.documents.get(document)
    if (stored === undefined) return { base: null, snapshot: null, tail: [], head: null, damaged: false }
    const base = stored.current?.base ?? 0
    return {
      base: base === 0 ? null : formatCursor(this.#store.epoch, base),
      snapshot: stored.current?.snapshot ?? null,
      tail: stored.entries.slice(base - stored.previous),
      head: formatCursor(this.#store.epoch, stored.head),
      damaged: false,
    }
  }

  async tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    this.#requireOpen()
    const stored = this.#store.documents.get(document)
    const sequence = parseCursor(this.#store.epoch, after)
    if (stored === undefined || sequence === null) return 'trimmed'
    if (sequence < stored.previous || sequence > stored.head) return 'trimmed'
    return stored.entries.slice(sequence - stored.previous)
  }

  async append(document: string, update: Uint8Array): Promise<Cursor> {
    this.#requireOpen()
    const stored = this.#store.documents.get(document) ?? { entries: [], current: null, previous: 0, head: 0 }
    this.#store.documents.set(document, stored)
    stored.head += 1
    const cursor = formatCursor(this.#store.epoch, stored.head)
    const entry = { cursor, update: update.slice() }
    stored.entries.push(entry)
    this.#store.fanout.appended(this.node, document, entry)
    return cursor
  }

  async compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    this.#requireOpen()
    const stored = this.#store.documents.get(document)
    const from = base === null ? 0 : parseCursor(this.#store.epoch, base)
    const to = parseCursor(this.#store.epoch, upTo)
    if (stored === undefined || to === null) return false
    const current = stored.current?.base ?? 0
    if (from !== current || to < current || to > stored.head) return false
    if (to === current) return true
    stored.entries = stored.entries.slice(current - stored.previous)
    stored.previous = current
    const { state, stateVector } = snapshot
    stored.current = { base: to, snapshot: { state: state.slice(), stateVector: stateVector.slice() } }
    return true
  }

  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription {
    const missed = this.#missed(document, after)
    return this.#store.fanout.follow({ node: this.node, document, after, sink }, missed)
  }

  publish(document: string, kind: string, bytes: Uint8Array): void {
    this.#store.fanout.published(document, { from: this.node, kind, bytes: bytes.slice() })
  }

  async remove(document: string): Promise<void> {
    this.#requireOpen()
    this.#store.documents.delete(document)
  }

  async list(query: ListQuery): Promise<readonly string[]> {
    this.#requireOpen()
    const { prefix = '', after, limit } = query
    const names = [...this.#store.documents.keys()].filter((name) => name.startsWith(prefix))
    const sorted = names.sort(compareNames)
    const start = after === undefined ? 0 : sorted.findIndex((name) => compareNames(name, after) > 0)
    return start === -1 ? [] : sorted.slice(start, start + limit)
  }

  health(): EngineHealth {
    return { state: 'ok' }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#store.fanout.left(this.node)
  }

  async #missed(document: string, after: Cursor | null): Promise<Missed> {
    if (after !== null) return this.tail(document, after)
    const { snapshot, tail } = await this.load(document)
    return snapshot === null ? tail : 'trimmed'
  }

  #requireOpen(): void {
    if (this.#closed) throw new StorageError('STORAGE_CLOSED', 'The storage is closed.')
  }
}

function newEpoch(): string {
  return randomBytes(6).toString('hex')
}

/** UTF-8 byte order, the same as on disk; JavaScript's own order differs beyond U+FFFF. */
function compareNames(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'))
}
