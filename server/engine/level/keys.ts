import { createHash } from 'node:crypto'

/**
 * Keys of the database. All integers are big-endian, so that byte order is numeric order.
 *
 *     record key  01 | id (16 bytes) | kind (1) | sequence (8)        26 bytes
 *     name key    02 | document name, UTF-8                           orders `list`
 *     probe key   03                                                  one value, rewritten whenever the database is opened
 *
 *     id    the first 16 bytes of SHA-256 of the name: fixed length, so that no name is a prefix of another's keys
 *     kind  00 meta (sequence 0) · 01 entry · 02 snapshot (sequence = last entry it contains)
 */
const RECORD_SPACE = 0x01
const NAME_SPACE = 0x02
const ID_BYTES = 16
const KIND_OFFSET = 1 + ID_BYTES
const SEQUENCE_OFFSET = KIND_OFFSET + 1

export const KEY_BYTES = SEQUENCE_OFFSET + 8
export const PROBE_KEY = Uint8Array.of(0x03)

export const META = 0
export const ENTRY = 1
export const SNAPSHOT = 2
export type Kind = typeof META | typeof ENTRY | typeof SNAPSHOT

/** Bounds of an iterator: both included. */
export interface KeyRange {
  readonly gte: Uint8Array
  readonly lte: Uint8Array
}

export function documentId(name: string): Buffer {
  return createHash('sha256').update(name, 'utf8').digest().subarray(0, ID_BYTES)
}

/** Writes a record key into `target` at `offset`; `target` may be scratch space, LevelDB copies what it is given. */
export function writeRecordKey(target: Buffer, id: Uint8Array, kind: Kind, sequence: number): void {
  target[0] = RECORD_SPACE
  target.set(id, 1)
  target[KIND_OFFSET] = kind
  writeSequence(target, SEQUENCE_OFFSET, sequence)
}

export function recordKey(id: Uint8Array, kind: Kind, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES)
  writeRecordKey(key, id, kind, sequence)
  return key
}

export function recordRange(id: Uint8Array, kind: Kind, from: number, to: number = Number.MAX_SAFE_INTEGER): KeyRange {
  return { gte: recordKey(id, kind, from), lte: recordKey(id, kind, to) }
}

/** Everything about one document, except its name key. */
export function documentRange(id: Uint8Array): KeyRange {
  return { gte: recordKey(id, META, 0), lte: recordKey(id, SNAPSHOT, Number.MAX_SAFE_INTEGER) }
}

export function sequenceOf(key: Uint8Array): number {
  return readSequence(key, SEQUENCE_OFFSET)
}

export function nameKey(name: string): Buffer {
  return Buffer.concat([Uint8Array.of(NAME_SPACE), Buffer.from(name, 'utf8')])
}

export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset + 1, key.byteLength - 1).toString('utf8')
}

/** Names that begin with `prefix` and come after `after`, so that a page never reads what lies before it. */
export function nameRange(prefix: string, after: string | undefined): { gte?: Buffer; gt?: Buffer; lt: Buffer } {
  const first = nameKey(prefix)
  const upper = endOfPrefix(first)
  if (after === undefined) return { gte: first, lt: upper }
  const afterKey = nameKey(after)
  return Buffer.compare(afterKey, first) < 0 ? { gte: first, lt: upper } : { gt: afterKey, lt: upper }
}

/** Sequences are numbers below 2^53: at a million appends per second that lasts 285 years. */
export function writeSequence(target: Buffer, offset: number, sequence: number): void {
  target.writeUInt32BE(Math.floor(sequence / 2 ** 32), offset)
  target.writeUInt32BE(sequence >>> 0, offset + 4)
}

export function readSequence(source: Uint8Array, offset: number): number {
  const view = new DataView(source.buffer, source.byteOffset + offset, 8)
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4)
}

/** The first key that does not begin with `key`. The last byte of UTF-8 is never FF, nor is the space byte. */
function endOfPrefix(key: Buffer): Buffer {
  const end = Buffer.from(key)
  const last = end.length - 1
  end[last] = (end[last] ?? 0) + 1
  return end
}
