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

/**
 * One document in IndexedDB, in the format of y-indexeddb 9.0.12: either may open what the other wrote, also at the same
 * time in two tabs.
 */
class IndexedDbStore implements DocumentStore {
  readonly #name: string
  readonly #database: Promise<IDBDatabase>
  #entries = 0
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
    return this.#run(async (updates, custom) => {
      const adding = updates.add(toStored(update))
      this.#entries += 1
      const mustTrim = this.#entries >= TRIM_SIZE
      // Else the page would have to live until it has heard of the entry: one that is closed at once took it along.
      if (!isSaved && !mustTrim) updates.transaction.commit()
      const key = (await idb.rtop(adding)) as number
      if (key === this.#known + 1) this.#known = key
      if (isSaved) await idb.put(custom, this.#known, SAVED_KEY)
      if (mustTrim) await this.#trim(updates, custom)
    })
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
    const database = await this.#database.catch(() => null)
    database?.close()
  }

  /** Several entries become one, written by whichever tab: only what is in the transaction is replaced. */
  async #trim(updates: IDBObjectStore, custom: IDBObjectStore): Promise<void> {
    const [values, keys, saved] = await Promise.all([
      idb.getAll(updates) as Promise<Uint8Array[]>,
      idb.getAllKeys(updates) as Promise<Keys>,
      idb.get(custom, SAVED_KEY) as Promise<unknown>,
    ])
    const last = keys.at(-1)
    if (last === undefined) return
    const merged = (await idb.rtop(updates.add(mergeUpdates(values)))) as number
    await idb.del(updates, idb.createIDBKeyRangeUpperBound(last, false))
    if (saved === last) await idb.put(custom, merged, SAVED_KEY)
    if (this.#known === last) this.#known = merged
    this.#entries = 1
  }

  /**
   * One transaction, begun at once and not when those before it are over: IndexedDB carries them out in their order, and a
   * page that is closed takes with it what has not begun.
   */
  async #run<T>(work: (updates: IDBObjectStore, custom: IDBObjectStore) => Promise<T>): Promise<T> {
    const [updates, custom] = idb.transact(await this.#database, [UPDATES, CUSTOM]) as [IDBObjectStore, IDBObjectStore]
    const [result] = await Promise.all([work(updates, custom), committed(updates.transaction)])
    return result
  }
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
