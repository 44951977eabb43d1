import type { Snapshot } from '../engine.ts'
import type { Batch } from './database.ts'
import type { DocumentState } from './documentStates.ts'
import type { Write } from './groupCommit.ts'
import { ENTRY, KEY_BYTES, META, nameKey, recordKey, SNAPSHOT, writeRecordKey } from './keys.ts'
import { encodeSnapshot, HEADER_BYTES, sealInPlace, sealRecord, writeMeta } from './record.ts'

/** Values up to this size are built in scratch space, without allocating: nearly all entries are far below. */
const SCRATCH_BYTES = 64 * 1024
const scratch = Buffer.allocUnsafeSlow(KEY_BYTES + SCRATCH_BYTES)
const scratchKey = scratch.subarray(0, KEY_BYTES)
const scratchValue = scratch.subarray(KEY_BYTES)

/** What a record costs in a batch beside its payload. */
const OVERHEAD_BYTES = KEY_BYTES + HEADER_BYTES

/** A change of one document. With it goes the meta record, once per document and batch. */
abstract class DocumentWrite implements Write {
  abstract readonly bytes: number
  protected readonly state: DocumentState
  readonly #reject: (error: Error) => void

  constructor(state: DocumentState, reject: (error: Error) => void) {
    this.state = state
    this.#reject = reject
    state.pending += 1
  }

  get document(): string {
    return this.state.name
  }

  addTo(batch: Batch): void {
    this.change(batch)
    this.state.metaDue = true
  }

  seal(batch: Batch): void {
    const { state } = this
    if (!state.metaDue) return
    state.metaDue = false
    if (state.stored.known) putMeta(batch, state)
  }

  done(): void {
    this.state.pending -= 1
    this.resolve()
  }

  failed(error: Error): void {
    this.state.pending -= 1
    this.#reject(error)
  }

  /** Puts the change into the batch and brings `state.stored` up to date. */
  protected abstract change(batch: Batch): void
  protected abstract resolve(): void
}

/** The hot path: one entry. */
export class AppendWrite extends DocumentWrite {
  readonly bytes: number
  readonly #sequence: number
  readonly #update: Uint8Array
  readonly #resolve: (sequence: number) => void

  constructor(
    state: DocumentState,
    update: Uint8Array,
    resolve: (sequence: number) => void,
    reject: (error: Error) => void,
  ) {
    super(state, reject)
    state.known = true
    state.head += 1
    this.#sequence = state.head
    this.#update = update
    this.#resolve = resolve
    this.bytes = OVERHEAD_BYTES + update.length
  }

  protected change(batch: Batch): void {
    const { id, stored, name } = this.state
    if (!stored.known) putName(batch, name)
    stored.known = true
    stored.head = this.#sequence
    writeRecordKey(scratchKey, id, ENTRY, this.#sequence)
    const size = HEADER_BYTES + this.#update.length
    const value = size <= SCRATCH_BYTES ? scratchValue.subarray(0, size) : Buffer.allocUnsafe(size)
    value.set(this.#update, HEADER_BYTES)
    sealInPlace(scratchKey, value)
    batch.put(scratchKey, value)
  }

  protected resolve(): void {
    this.#resolve(this.#sequence)
  }
}

/** One step from generation to generation. */
export interface Compaction {
  /** Last entry the snapshot contains. */
  readonly to: number
  /** The generation that stays beside the new one: entries after it, and its snapshot if it has one. */
  readonly kept: number
  /** The generation whose snapshot goes; 0 for none. */
  readonly dropped: number
  /** Entries of (trimFrom, kept] go. */
  readonly trimFrom: number
  readonly snapshot: Snapshot
}

export class CompactWrite extends DocumentWrite {
  readonly bytes: number
  readonly #compaction: Compaction
  readonly #resolve: () => void

  constructor(state: DocumentState, compaction: Compaction, resolve: () => void, reject: (error: Error) => void) {
    super(state, reject)
    state.base = compaction.to
    state.previous = compaction.kept
    this.#compaction = compaction
    this.#resolve = resolve
    const { snapshot } = compaction
    this.bytes = OVERHEAD_BYTES + snapshot.state.length + snapshot.stateVector.length
  }

  protected change(batch: Batch): void {
    const { id, stored, name } = this.state
    const { to, kept, dropped, trimFrom, snapshot } = this.#compaction
    if (dropped > 0) batch.del(recordKey(id, SNAPSHOT, dropped))
    deleteEntries(batch, id, trimFrom, kept)
    const key = recordKey(id, SNAPSHOT, to)
    batch.put(key, sealRecord(key, encodeSnapshot(snapshot)))
    // Again, in case it was lost: a document that `list` does not know is as good as gone for an operator.
    putName(batch, name)
    stored.base = to
    stored.previous = kept
  }

  protected resolve(): void {
    this.#resolve()
  }
}

export class RemoveWrite extends DocumentWrite {
  readonly bytes: number
  readonly #keys: readonly Uint8Array[]
  readonly #resolve: () => void

  /** @param keys everything about the document that was in the database a moment ago, in order */
  constructor(state: DocumentState, keys: readonly Uint8Array[], resolve: () => void, reject: (error: Error) => void) {
    super(state, reject)
    this.#keys = [...keys, ...keysSince(state)]
    this.#resolve = resolve
    this.bytes = KEY_BYTES * this.#keys.length
    Object.assign(state, { base: 0, previous: 0, head: 0, known: false })
  }

  protected change(batch: Batch): void {
    const { id, stored, name } = this.state
    for (const key of this.#keys) batch.del(key)
    batch.del(recordKey(id, META, 0))
    batch.del(nameKey(name))
    Object.assign(stored, { base: 0, previous: 0, head: 0, known: false })
  }

  protected resolve(): void {
    this.#resolve()
  }
}

/** Records that may have been handed over after the keys were read: writes in the queue before this one. */
function keysSince(state: DocumentState): Uint8Array[] {
  const keys: Uint8Array[] = []
  for (const sequence of [state.base, state.previous]) keys.push(recordKey(state.id, SNAPSHOT, sequence))
  for (let sequence = state.previous + 1; sequence <= state.head; sequence++) {
    keys.push(recordKey(state.id, ENTRY, sequence))
  }
  return keys
}

function deleteEntries(batch: Batch, id: Uint8Array, after: number, upTo: number): void {
  for (let sequence = after + 1; sequence <= upTo; sequence++) {
    writeRecordKey(scratchKey, id, ENTRY, sequence)
    batch.del(scratchKey)
  }
}

function putMeta(batch: Batch, state: DocumentState): void {
  const { base, previous, head } = state.stored
  writeRecordKey(scratchKey, state.id, META, 0)
  const end = writeMeta(scratchValue, HEADER_BYTES, { base, previous, head, name: state.name })
  const value = scratchValue.subarray(0, end)
  sealInPlace(scratchKey, value)
  batch.put(scratchKey, value)
}

function putName(batch: Batch, name: string): void {
  const key = nameKey(name)
  batch.put(key, sealRecord(key, new Uint8Array(0)))
}
