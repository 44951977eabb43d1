import type { Clock } from '../../clock.ts'
import { parseCursor, formatCursor } from '../cursor.ts'
import type { Cursor, Entry, ListQuery, Loaded, Snapshot } from '../engine.ts'
import type { Database } from './database.ts'
import { DocumentReader } from './documentReader.ts'
import { type DocumentState, DocumentStates, newState } from './documentStates.ts'
import { GroupCommit, type Write } from './groupCommit.ts'
import { documentId, documentRange, nameOf, nameRange } from './keys.ts'
import type { Quarantine } from './quarantine.ts'
import { openRecord } from './record.ts'
import { AppendWrite, CompactWrite, RemoveWrite } from './writes.ts'

export interface LevelSessionOptions {
  readonly database: Database
  readonly epoch: string
  readonly sync: boolean
  readonly clock: Clock
  readonly quarantine: Quarantine
  /** Called once, before anything is rejected. The session accepts nothing afterwards. */
  readonly onFailure: (error: Error) => void
}

/** Names fetched per native call. */
const NAMES_PER_READ = 1000

/**
 * Everything that is valid for one database handle: what is cached about documents, and the queue of writes. A handle
 * whose write has failed is finished, and so is its session; nothing of it is carried over to the next.
 */
export class LevelSession {
  readonly #database: Database
  readonly #epoch: string
  readonly #reader: DocumentReader
  readonly #states: DocumentStates
  readonly #commits: GroupCommit
  readonly #quarantine: Quarantine

  constructor(options: LevelSessionOptions) {
    const { database, epoch, quarantine, sync, clock, onFailure } = options
    this.#database = database
    this.#epoch = epoch
    this.#quarantine = quarantine
    this.#reader = new DocumentReader(database, quarantine, epoch)
    this.#commits = new GroupCommit({ database, sync, clock, onFailure })
    this.#states = new DocumentStates(async (name) => {
      const address = { name, id: documentId(name) }
      return newState(address, await this.#reader.extent(address))
    })
  }

  load(document: string): Promise<Loaded> {
    return this.#reader.load({ name: document, id: documentId(document) })
  }

  async tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    const sequence = parseCursor(this.#epoch, after)
    const state = await this.#states.get(document)
    if (sequence === null || sequence < state.previous || sequence > state.head) return 'trimmed'
    return (await this.#reader.entriesAfter(state, sequence)) ?? 'trimmed'
  }

  /** Not `async`, nor is what it calls: each layer of promises costs a tenth of a grouped append. */
  append(document: string, update: Uint8Array): Promise<Cursor> {
    const state = this.#states.cached(document)
    if (state !== undefined) return this.#append(state, update)
    return this.#withState(document, (state) => this.#append(state, update))
  }

  async compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    const from = base === null ? 0 : parseCursor(this.#epoch, base)
    const to = parseCursor(this.#epoch, upTo)
    if (from === null || to === null) return false
    const state = await this.#states.get(document)
    const fallback = from !== state.base && (await this.#startsFrom(state, from))
    return this.#withState(document, (current) => {
      const unchanged = current.base === state.base && current.previous === state.previous
      if (!unchanged || !(fallback || from === current.base) || to > current.head || to < current.base) return false
      // Nothing new: rewriting the current snapshot could only replace it by something worse.
      if (to === current.base && !fallback) return true
      return this.#compact(current, to, fallback, snapshot)
    })
  }

  async remove(document: string): Promise<void> {
    const keys = await this.#database.keys(documentRange(documentId(document))).all()
    await this.#withState(document, (state) =>
      this.#commit<void>((resolve, reject) => new RemoveWrite(state, keys, resolve, reject)),
    )
  }

  async list(query: ListQuery): Promise<readonly string[]> {
    const range = nameRange(query.prefix ?? '', query.after)
    const iterator = this.#database.iterator(range)
    const names: string[] = []
    try {
      while (names.length < query.limit) {
        const rows = await iterator.nextv(Math.min(query.limit - names.length, NAMES_PER_READ))
        if (rows.length === 0) break
        names.push(...(await this.#readNames(rows)))
      }
    } finally {
      await iterator.close()
    }
    return names
  }

  /** Waits for the writes in flight, then closes the handle. Never rejects because of a write. */
  async close(): Promise<void> {
    await this.#commits.drained()
    await this.#database.close()
  }

  #append(state: DocumentState, update: Uint8Array): Promise<Cursor> {
    return this.#commit<Cursor>((resolve, reject) => {
      const appended = (sequence: number): void => resolve(formatCursor(this.#epoch, sequence))
      return new AppendWrite(state, update, appended, reject)
    })
  }

  #commit<T>(create: (resolve: (value: T) => void, reject: (error: Error) => void) => Write): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#commits.add(create(resolve, reject))
    })
  }

  /**
   * Runs `use` with the state in the same turn in which it is known to be the cached one: were it evicted in between,
   * two states of one document could hand out the same sequence, and one entry would overwrite another.
   */
  async #withState<T>(document: string, use: (state: DocumentState) => T | Promise<T>): Promise<T> {
    for (;;) {
      const state = await this.#states.get(document)
      if (this.#states.cached(document) === state) return use(state)
    }
  }

  /** True when `from` is where a load starts because the current snapshot cannot be read (and is in quarantine). */
  async #startsFrom(state: DocumentState, from: number): Promise<boolean> {
    const ground = await this.#reader.ground(state, state.base, state.previous)
    return ground.damaged && ground.base === from
  }

  async #compact(state: DocumentState, to: number, fallback: boolean, snapshot: Snapshot): Promise<true> {
    const { base, previous } = state
    // After a fallback the older generation is the last readable one: it stays, and so do all entries after it.
    const step = fallback ? { kept: previous, dropped: base } : { kept: base, dropped: previous }
    const compaction = { ...step, to, trimFrom: previous, snapshot }
    await this.#commit<void>((resolve, reject) => new CompactWrite(state, compaction, resolve, reject))
    return true
  }

  async #readNames(rows: readonly [Uint8Array, Uint8Array][]): Promise<string[]> {
    const names: string[] = []
    for (const [key, value] of rows) {
      if (openRecord(key, value) !== null) names.push(nameOf(key))
      else await this.#keepName(key, value)
    }
    return names
  }

  #keepName(key: Uint8Array, raw: Uint8Array): Promise<void> {
    const label = `name-${Buffer.from(key).toString('hex').slice(0, 64)}`
    return this.#quarantine.keep({ document: nameOf(key), label, raw, reason: 'unreadable name' })
  }
}
