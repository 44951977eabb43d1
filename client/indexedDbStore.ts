import * as idb from 'lib0/indexeddb'
import { mergeUpdates } from 'yjs'
import type { DocumentStore, StoredDocument } from './environment.ts'

/** The object stores of y-indexeddb 9: updates under rising keys, and whatever the application likes under its own. */
const UPDATES = 'updates'
const CUSTOM = 'custom'
/** In `custom`, before a server's address: the highest key in `updates` up to which that server has everything. */
const SAVED_KEY = 'scriptorium:saved '
/** Entries after which they are merged into one; y-indexeddb does it at the same number. */
const TRIM_SIZE = 500

type Keys = readonly number[]

type Work<T> = (updates: IDBObjectStore, custom: IDBObjectStore) => Promise<T>

/** What is written together, and whether the server has it. */
interface Batch {
  readonly updates: Uint8Array[]
  readonly isSaved: boolean
  readonly written: Promise<void>
}

/** What this store knows of the entries: other tabs write as well. */
interface Progress {
  /** The highest key up to which every entry was read or written by this store, or is saved. */
  known: number
  /** Keys of this store's entries above that. */
  readonly own: Set<number>
}

/**
 * One document in IndexedDB, in the format of y-indexeddb 9.0.12: either may open what the other wrote, also at the same
 * time in two tabs.
 */
class IndexedDbStore implements DocumentStore {
  readonly #name: string
  readonly #savedKey: string
  /** Lost: somebody has closed it, and whoever writes next is to know. Null: to be opened. */
  #database: Promise<IDBDatabase> | 'lost' | null
  #entries = 0
  /** To which what is appended in this turn still belongs. */
  #batch: Batch | null = null
  /** All that has begun. */
  #work = Promise.resolve()
  /** Another one with every database: what is still being carried out in one that was lost does not speak of the next. */
  #progress: Progress = { known: 0, own: new Set() }

  constructor(name: string, server: string) {
    this.#name = name
    this.#savedKey = `${SAVED_KEY}${server}`
    this.#database = this.#open()
  }

  load(): Promise<StoredDocument> {
    return this.#run('readonly', async (updates, custom) => {
      const progress = this.#progress
      const [values, keys, saved] = await Promise.all([
        idb.getAll(updates) as Promise<Uint8Array[]>,
        idb.getAllKeys(updates) as Promise<Keys>,
        this.#savedUpTo(custom),
      ])
      this.#entries = keys.length
      progress.known = keys.at(-1) ?? 0
      return { updates: values, unsaved: keys.filter((key) => key > saved).length }
    })
  }

  append(update: Uint8Array, isSaved: boolean): Promise<void> {
    if (this.#batch?.isSaved !== isSaved) this.#batch = null
    const { updates, written } = (this.#batch ??= this.#begin(isSaved))
    updates.push(toStored(update))
    return written
  }

  async markSaved(): Promise<void> {
    this.#batch = null // what is appended from now on is not meant
    if (this.#database === 'lost') return
    await this.#followed(this.#opened().then((database) => this.#mark(database)))
  }

  async clear(): Promise<void> {
    await this.close()
    await idb.deleteDB(this.#name)
  }

  async close(): Promise<void> {
    // Whoever waits for it to open hears that it did not. What has begun is finished before it is closed.
    await this.#work
    if (this.#database instanceof Promise) (await this.#database.catch(() => null))?.close()
  }

  /** A browser may close it at any time, and has to when another tab removes it; lib0 does the latter. */
  async #open(): Promise<IDBDatabase> {
    const database = await idb.openDB(this.#name, (created: IDBDatabase) => {
      idb.createStores(created, [[UPDATES, { autoIncrement: true }], [CUSTOM]])
    })
    const lose = (): void => {
      this.#database = 'lost'
      this.#entries = 0
      this.#progress = { known: 0, own: new Set() }
    }
    database.addEventListener('versionchange', lose)
    database.addEventListener('close', lose)
    return database
  }

  /** @throws once when it was lost, since what is written next may be all that is there */
  async #opened(): Promise<IDBDatabase> {
    if (this.#database === 'lost') {
      this.#database = null
      throw new Error('the database was closed by the browser or by another tab')
    }
    const opening = this.#database ?? this.#open()
    this.#database = opening
    opening.catch(() => {
      if (this.#database === opening) this.#database = null // whoever writes next tries again
    })
    return opening
  }

  /** What comes in one turn is one transaction: a page that is closed may take those along that stand behind other tabs'. */
  #begin(isSaved: boolean): Batch {
    const writing = this.#opened().then(
      (database) => this.#write(database, batch),
      (error: unknown) => {
        this.#end(batch)
        throw error
      },
    )
    const batch: Batch = { updates: [], isSaved, written: this.#followed(writing) }
    return batch
  }

  /** It is finished before the database is closed. */
  #followed(work: Promise<void>): Promise<void> {
    const both = [this.#work, work]
    this.#work = Promise.allSettled(both).then(() => undefined)
    return work
  }

  #end(batch: Batch): void {
    if (this.#batch === batch) this.#batch = null
  }

  async #write(database: IDBDatabase, batch: Batch): Promise<void> {
    this.#end(batch)
    const work = [this.#add(database, batch)]
    // In this turn: what is appended after it is not meant.
    if (batch.isSaved) work.push(this.#mark(database))
    this.#entries += batch.updates.length
    if (this.#entries >= TRIM_SIZE) {
      this.#entries = 1
      work.push(trim(database))
    }
    await Promise.all(work)
  }

  /** Keys of a transaction that is aborted in the end (a full disk) are given out again: they are ours once it is complete. */
  async #add(database: IDBDatabase, batch: Batch): Promise<void> {
    const progress = this.#progress
    const keys = (await transact(database, 'readwrite', (updates) =>
      Promise.all(batch.updates.map((update) => idb.rtop(updates.add(update)))),
    )) as Keys
    for (const key of keys) progress.own.add(key)
  }

  /** Another tab may have noted more. Should it do so in between, what is noted goes back, and forth with its next one. */
  async #mark(database: IDBDatabase): Promise<void> {
    const progress = this.#progress
    const known = await transact(database, 'readonly', async (_, custom) => {
      progress.known = Math.max(await this.#savedUpTo(custom), progress.known)
      while (progress.own.delete(progress.known + 1)) progress.known += 1
      return progress.known // now: what is appended later will be known in a moment
    })
    await transact(database, 'readwrite', (_, custom) => idb.put(custom, known, this.#savedKey))
  }

  async #savedUpTo(custom: IDBObjectStore): Promise<number> {
    const saved: unknown = await idb.get(custom, this.#savedKey)
    return typeof saved === 'number' ? saved : 0
  }

  async #run<T>(mode: IDBTransactionMode, work: Work<T>): Promise<T> {
    return transact(await this.#opened(), mode, work)
  }
}

/**
 * One transaction, begun at once: IndexedDB carries them out in their order. `work` asks for all it wants before it waits for
 * anything, and the transaction is committed then: one that still needs the page is broken off when the page is closed, and
 * takes all along that stand behind it (Chromium).
 */
async function transact<T>(database: IDBDatabase, mode: IDBTransactionMode, work: Work<T>): Promise<T> {
  const transaction = database.transaction([UPDATES, CUSTOM], mode)
  const working = work(transaction.objectStore(UPDATES), transaction.objectStore(CUSTOM))
  transaction.commit()
  const [result] = await Promise.all([working, committed(transaction)])
  return result
}

/**
 * Several entries become one, written by whichever tab: only what was read is replaced. The new one has the key of the last,
 * so that whoever has read or saved that far has so still. What other tabs do in between is above that key, or the same.
 */
async function trim(database: IDBDatabase): Promise<void> {
  const [values, keys] = await transact(database, 'readonly', (updates) =>
    Promise.all([idb.getAll(updates) as Promise<Uint8Array[]>, idb.getAllKeys(updates) as Promise<Keys>]),
  )
  const last = keys.at(-1)
  const merged = mergeReadable(values)
  if (last === undefined || merged === null) return
  await transact(database, 'readwrite', async (updates) => {
    updates.put(merged, last)
    updates.delete(IDBKeyRange.upperBound(last, true))
  })
}

/** Null: one of them cannot be read, which is told when they are loaded; then all stay as they are. */
function mergeReadable(values: Uint8Array[]): Uint8Array | null {
  try {
    return mergeUpdates(values)
  } catch {
    return null
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

export function openIndexedDbStore(name: string, server: string): DocumentStore {
  return new IndexedDbStore(name, server)
}
