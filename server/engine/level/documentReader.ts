import type { IteratorOptions } from 'classic-level'
import { StorageError } from '../../../shared/errors.ts'
import type { Entry, Loaded, Snapshot } from '../engine.ts'
import { formatCursor } from '../cursor.ts'
import { isCorruption, type Database, type View } from './database.ts'
import { ENTRY, type KeyRange, META, SNAPSHOT, recordKey, recordRange, sequenceOf } from './keys.ts'
import type { Quarantine } from './quarantine.ts'
import { decodeMeta, decodeSnapshot, openRecord } from './record.ts'

export interface Address {
  readonly name: string
  readonly id: Buffer
}

/** Where a document's records begin and end, as its meta record says; all 0 when it was never written. */
export interface Extent {
  /** False when nothing at all is stored. */
  readonly known: boolean
  readonly base: number
  readonly previous: number
  readonly head: number
}

interface FoundExtent extends Extent {
  /** True when there is no readable meta record, and the rest was pieced together from what exists. */
  readonly damaged: boolean
}

/** The snapshot a load starts from: 0 and null when there is none that can be read. */
export interface Ground {
  readonly base: number
  readonly snapshot: Snapshot | null
  readonly damaged: boolean
}

type ReadOptions = IteratorOptions<Uint8Array, Uint8Array>
type Rows = [Uint8Array, Uint8Array][]

/** Rows fetched per native call, and the bytes after which such a call stops: a few milliseconds of event loop. */
const ROWS_PER_READ = 1000
const READ_BYTES = 1024 * 1024

/**
 * Without a meta record, an unreadable entry may be unreadable because its key is damaged, and its sequence then means
 * nothing. One within this distance of its predecessor is believed, so that it is never overwritten; one further away is
 * not, so that it cannot push all later sequences to the end of the number range.
 */
const PLAUSIBLE_GAP = 4096

/** Everything that reads records and decides whether they can be trusted. Never writes to the database. */
export class DocumentReader {
  readonly #database: Database
  readonly #quarantine: Quarantine
  readonly #epoch: string

  constructor(database: Database, quarantine: Quarantine, epoch: string) {
    this.#database = database
    this.#quarantine = quarantine
    this.#epoch = epoch
  }

  async load(address: Address): Promise<Loaded> {
    return this.#withView(async (view) => {
      const extent = await this.#extent(address, view)
      if (!extent.known) return { base: null, snapshot: null, tail: [], head: null, damaged: false }
      const ground = await this.#ground(address, extent, view)
      const after = ground.base === 0 ? extent.previous : ground.base
      const tail = await this.#entries(address, after, extent.head, view)
      return {
        base: this.#cursorOrNull(ground.base),
        snapshot: ground.snapshot,
        tail,
        head: this.#cursorOrNull(extent.head),
        damaged: extent.damaged || ground.damaged || tail.length < extent.head - after,
      }
    })
  }

  /** Entries after `after`, or null when some are missing or unreadable: a load is needed to tell. */
  async entriesAfter(address: Address, after: number): Promise<readonly Entry[] | null> {
    return this.#withView(async (view) => {
      const { head, previous } = await this.#extent(address, view)
      if (after < previous || after > head) return null
      const entries = await this.#entries(address, after, head, view)
      return entries.length < head - after ? null : entries
    })
  }

  extent(address: Address): Promise<Extent> {
    return this.#withView((view) => this.#extent(address, view))
  }

  /** Which of the two generations a load would start from now. */
  async ground(address: Address, base: number, previous: number): Promise<Ground> {
    return this.#withView((view) => this.#ground(address, { base, previous }, view))
  }

  async #extent(address: Address, view: View): Promise<FoundExtent> {
    const key = recordKey(address.id, META, 0)
    const { value, lost } = await this.#get(key, view)
    const payload = value === undefined ? null : openRecord(key, value)
    const meta = payload === null ? null : decodeMeta(payload)
    if (meta !== null) {
      requireSameName(address, meta.name)
      return { known: true, base: meta.base, previous: meta.previous, head: meta.head, damaged: false }
    }
    if (value !== undefined) await this.#keep(address, 'meta-0', value)
    return this.#extentWithoutMeta(address, value !== undefined || lost, view)
  }

  /** The meta record is gone or unreadable: the snapshots and entries that exist say the same thing, less reliably. */
  async #extentWithoutMeta(address: Address, expected: boolean, view: View): Promise<FoundExtent> {
    const snapshots = await this.#readAll(recordRange(address.id, SNAPSHOT, 1), view)
    const entries = await this.#readAll(recordRange(address.id, ENTRY, 1), view)
    const known = expected || snapshots.length > 0 || entries.length > 0
    const base = sequenceAt(snapshots, -1)
    const beforeLog = entries.length === 0 ? base : Math.min(base, sequenceAt(entries, 0) - 1)
    const previous = sequenceAt(snapshots, -2) || beforeLog
    return { known, base, previous, head: Math.max(base, believableEnd(entries, previous)), damaged: known }
  }

  async #ground(address: Address, generations: Pick<Extent, 'base' | 'previous'>, view: View): Promise<Ground> {
    let damaged = false
    for (const sequence of new Set([generations.base, generations.previous])) {
      if (sequence === 0) continue
      const snapshot = await this.#snapshot(address, sequence, view)
      if (snapshot !== null) return { base: sequence, snapshot, damaged }
      damaged = true
    }
    return { base: 0, snapshot: null, damaged }
  }

  async #snapshot(address: Address, sequence: number, view: View): Promise<Snapshot | null> {
    const key = recordKey(address.id, SNAPSHOT, sequence)
    const { value } = await this.#get(key, view)
    if (value === undefined) return null
    const payload = openRecord(key, value)
    const snapshot = payload === null ? null : decodeSnapshot(payload)
    if (snapshot === null) await this.#keep(address, `snapshot-${sequence}`, value)
    return snapshot
  }

  /** The readable entries of (after, head]; what is unreadable is kept in quarantine, what is missing is just missing. */
  async #entries(address: Address, after: number, head: number, view: View): Promise<Entry[]> {
    if (after >= head) return []
    const entries: Entry[] = []
    for (const [key, value] of await this.#readAll(recordRange(address.id, ENTRY, after + 1, head), view)) {
      const sequence = sequenceOf(key)
      const update = openRecord(key, value)
      if (update === null) await this.#keep(address, `entry-${sequence}`, value)
      else entries.push({ cursor: formatCursor(this.#epoch, sequence), update })
    }
    return entries
  }

  /** All rows of a range, except those in a block that LevelDB cannot decode. */
  async #readAll(range: KeyRange, view: View): Promise<Rows> {
    const options = { ...range, snapshot: view }
    try {
      return await this.#collect(options, ROWS_PER_READ)
    } catch (thrown) {
      if (!isCorruption(thrown)) throw thrown
      // A failing call loses all its rows, so the second attempt asks for one at a time.
      return this.#collect(options, 1)
    }
  }

  async #collect(options: ReadOptions, size: number): Promise<Rows> {
    const iterator = this.#database.iterator<Uint8Array, Uint8Array>({
      ...options,
      highWaterMarkBytes: READ_BYTES,
      fillCache: false,
    })
    const rows: Rows = []
    try {
      for (;;) {
        const chunk = await iterator.nextv(size)
        if (chunk.length === 0) return rows
        rows.push(...chunk)
      }
    } catch (thrown) {
      if (size === 1 && isCorruption(thrown)) return rows
      throw thrown
    } finally {
      await iterator.close()
    }
  }

  async #get(key: Uint8Array, view: View): Promise<{ value: Uint8Array | undefined; lost: boolean }> {
    try {
      return { value: await this.#database.get(key, { snapshot: view }), lost: false }
    } catch (thrown) {
      if (!isCorruption(thrown)) throw thrown
      return { value: undefined, lost: true }
    }
  }

  async #withView<T>(read: (view: View) => Promise<T>): Promise<T> {
    const view = this.#database.snapshot()
    try {
      return await read(view)
    } finally {
      await view.close()
    }
  }

  #keep(address: Address, what: string, raw: Uint8Array): Promise<void> {
    const label = `${address.id.toString('hex')}-${what}`
    return this.#quarantine.keep({ document: address.name, label, raw, reason: `unreadable record ${what}` })
  }

  #cursorOrNull(sequence: number): string | null {
    return sequence === 0 ? null : formatCursor(this.#epoch, sequence)
  }
}

function believableEnd(entries: Rows, after: number): number {
  let last = after
  for (const [key, value] of entries) {
    const sequence = sequenceOf(key)
    if (sequence - last <= PLAUSIBLE_GAP || openRecord(key, value) !== null) last = sequence
  }
  return last
}

function sequenceAt(rows: Rows, index: number): number {
  const row = rows.at(index)
  return row === undefined ? 0 : sequenceOf(row[0])
}

function requireSameName(address: Address, stored: string): void {
  if (stored === address.name) return
  throw new StorageError(
    'STORAGE_FOREIGN',
    `The documents ${JSON.stringify(address.name)} and ${JSON.stringify(stored)} share one identifier, or the name is ` +
      'not well-formed Unicode. The stored document was left untouched; use another name.',
  )
}
