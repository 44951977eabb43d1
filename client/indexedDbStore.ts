import * as idb from 'lib0/indexeddb'
import { mergeUpdates } from 'yjs'
import type { DocumentStore, StoredDocument } from './environment.ts'

/** The object stores of y-indexeddb 9: updates under rising keys, and whatever the application likes under its own. */
const UPDATES = 'updates'
const CUSTOM = 'custom'
/** In `custom`: the highest key in `updates` up to which the server is known to have everything. */
const SAVED_KEY = 'scriptorium:saved'
/** Entries after which they are merged into one; y-indexeddb does it at the same number. */
const TRIM_SIZE = 500

type Keys = readonly number[]

type Work<T> = (updates: IDBObjectStore, custom: IDBObjectStore) => Promise<T>

/** What is written together. */
interface Batch {
  readonly updates: Uint8Array[]
  /** The server has all of it. */
  isSaved: boolean
  written: Promise<void> | null
}

/**
 * One document in IndexedDB, in the format of y-indexeddb 9.0.12: either may open what the other wrote, also at the same
 * time in two tabs.
 */
class IndexedDbStore implements DocumentStore {
  readonly #name: string
  readonly #database: Promise<IDBDatabase>
  #entries = 0
  #batch: Batch | null = null
  /** The highest key up to which this store has read or written every entry: other tabs write as well. */
  #known = 0

  constructor(name: string) {
    this.#name = name
    this.#database = idb.openDB(name, (database: IDBDatabase) => {
      idb.createStores(database, [[UPDATES, { autoIncrement: true }], [CUSTOM]])
    })
  }

  load(): Promise<StoredDocument> {
    return this.#run(async (updates, custom) => {
      const [values, keys, saved] = await Promise.all([
        idb.getAll(updates) as Promise<Uint8Array[]>,
        idb.getAllKeys(updates) as Promise<Keys>,
        idb.get(custom, SAVED_KEY) as Promise<unknown>,
      ])
      this.#entries = keys.length
      this.#known = keys.at(-1) ?? 0
      const savedKey = typeof saved === 'number' ? saved : 0
      return { updates: values, unsaved: keys.filter((key) => key > savedKey).length }
    })
  }

  append(update: Uint8Array, isSaved: boolean): Promise<void> {
    this.#batch ??= { updates: [], isSaved, written: null }
    this.#batch.updates.push(toStored(update))
    this.#batch.isSaved = isSaved
    return (this.#batch.written ??= this.#appendBatch(this.#batch))
  }

  markSaved(): Promise<void> {
    return this.#run(async (_, custom) => {
      await idb.put(custom, this.#known, SAVED_KEY)
    })
  }

  async clear(): Promise<void> {
    await this.close()
    await idb.deleteDB(this.#name)
  }

  async close(): Promise<void> {
    // Whoever waits for it to open hears that it did not. What has begun is finished before it is closed.
    await this.#batch?.written?.catch(() => null)
    const database = await this.#database.catch(() => null)
    database?.close()
  }

  /** What came in one turn is one transaction: of hundreds, a page that is closed took those along that had not begun. */
  async #appendBatch(batch: Batch): Promise<void> {
    let database
    try {
      database = await this.#database
    } finally {
      this.#batch = null
    }
    const appended = transact(database, (updates, custom) => this.#add(updates, custom, batch))
    this.#entries += batch.updates.length
    if (this.#entries < TRIM_SIZE) return appended
    this.#entries = 1
    await Promise.all([appended, transact(database, trim)])
  }

  async #add(updates: IDBObjectStore, custom: IDBObjectStore, batch: Batch): Promise<void> {
    const [adding] = batch.updates.map((update) => updates.add(update)).slice(-1)
    if (adding === undefined) return
    // Else the page would have to live until it has heard of the entry: one that is closed at once took it along.
    if (!batch.isSaved) updates.transaction.commit()
    const key = (await idb.rtop(adding)) as number
    if (key === this.#known + batch.updates.length) this.#known = key
    if (batch.isSaved) await idb.put(custom, this.#known, SAVED_KEY)
  }

  async #run<T>(work: Work<T>): Promise<T> {
    return transact(await this.#database, work)
  }
}

/**
 * One transaction, begun at once and not when those before it are over: IndexedDB carries them out in their order, and a
 * page that is closed takes with it what has not begun.
 */
async function transact<T>(database: IDBDatabase, work: Work<T>): Promise<T> {
  const [updates, custom] = idb.transact(database, [UPDATES, CUSTOM]) as [IDBObjectStore, IDBObjectStore]
  const [result] = await Promise.all([work(updates, custom), committed(updates.transaction)])
  return result
}

/**
 * Several entries become one, written by whichever tab: only what is in the transaction is replaced. The new one has the
 * key of the last, so that whoever has read or saved that far has so still.
 */
async function trim(updates: IDBObjectStore): Promise<void> {
  const [values, keys] = await Promise.all([
    idb.getAll(updates) as Promise<Uint8Array[]>,
    idb.getAllKeys(updates) as Promise<Keys>,
  ])
  const last = keys.at(-1)
  if (last === undefined) return
  updates.put(mergeUpdates(values), last)
  updates.delete(IDBKeyRange.upperBound(last, true))
  updates.transaction.commit()
}

/** A full disk may show at the very end only, when every request has succeeded. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () => reject(transaction.error ?? new Error('the transaction was aborted')))
  })
}

/** A copy: an update may be a view on a large buffer, which would be stored as a whole. */
function toStored(update: Uint8Array): Uint8Array {
  return update.byteLength === update.buffer.byteLength ? update : new Uint8Array(update)
}

export function openIndexedDbStore(name: string): DocumentStore {
  return new IndexedDbStore(name)
}
