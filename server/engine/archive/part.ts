import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { StorageError } from '../../../shared/errors.ts'
import type { Snapshot } from '../engine.ts'
import type { ArchiveReference } from './archive.ts'

/**
 * How a part is kept, wherever that is; integers big-endian:
 *
 *     01 version | CRC-32 (4) of reference, then all that follows | length of name (2) | name, UTF-8
 *       | length of state vector (4) | state vector | state as one V1 update
 *
 * The checksum covers the reference and the part holds its document's name, so that a part found under another's key
 * (a mixed-up restore, a key that was edited) is not taken for that document.
 */
const PART_VERSION = 1
const CHECKSUM_OFFSET = 1
const NAME_LENGTH_OFFSET = 5
const NAME_OFFSET = 7
/** Hexadecimal digits of a reference that are its time. */
const TIME_DIGITS = 14

/**
 * 56 bits of time (microseconds, wall-clock: nodes are compared), so that references sort by age where nothing else does;
 * then 72 random ones. Nobody has to be asked for it, and a repeated attempt to keep the same part is known by it.
 */
export function newReference(): ArchiveReference {
  const microseconds = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  return microseconds.toString(16).padStart(TIME_DIGITS, '0') + randomBytes(9).toString('hex')
}

/** True for what `newReference` makes: anything else cannot name a part, and reaches no storage. */
export function isReference(text: string): boolean {
  return /^[\da-f]{32}$/.test(text)
}

/** True when the part was kept later, by the clocks of the nodes that kept the two. */
export function isNewer(reference: ArchiveReference, than: ArchiveReference): boolean {
  if (!isReference(reference) || !isReference(than)) return false
  return reference.slice(0, TIME_DIGITS) > than.slice(0, TIME_DIGITS)
}

export function encodePart(document: string, reference: ArchiveReference, { state, stateVector }: Snapshot): Buffer {
  const name = Buffer.from(document, 'utf8')
  const vectorOffset = NAME_OFFSET + name.length + 4
  const stateOffset = vectorOffset + stateVector.length
  const bytes = Buffer.allocUnsafe(stateOffset + state.length)
  bytes[0] = PART_VERSION
  bytes.writeUInt16BE(name.length, NAME_LENGTH_OFFSET)
  bytes.set(name, NAME_OFFSET)
  bytes.writeUInt32BE(stateVector.length, vectorOffset - 4)
  bytes.set(stateVector, vectorOffset)
  bytes.set(state, stateOffset)
  bytes.writeUInt32BE(checksum(reference, bytes), CHECKSUM_OFFSET)
  return bytes
}

/**
 * The part (views, not copies).
 *
 * @throws StorageError ARCHIVE_DAMAGED unless these are the bytes kept of this document under this reference
 */
export function decodePart(document: string, reference: ArchiveReference, bytes: Buffer): Snapshot {
  if (bytes.length < NAME_OFFSET) throw damaged(document, reference, 'it has been cut off')
  if (bytes[0] !== PART_VERSION) throw damaged(document, reference, `it is of the unknown version ${String(bytes[0])}`)
  if (bytes.readUInt32BE(CHECKSUM_OFFSET) !== checksum(reference, bytes)) {
    throw damaged(document, reference, 'its checksum is wrong')
  }
  const vectorOffset = NAME_OFFSET + bytes.readUInt16BE(NAME_LENGTH_OFFSET) + 4
  const name = bytes.toString('utf8', NAME_OFFSET, vectorOffset - 4)
  if (name !== document) throw damaged(document, reference, `it is a part of ${JSON.stringify(name)}`)
  const stateOffset = vectorOffset + bytes.readUInt32BE(vectorOffset - 4)
  return { stateVector: bytes.subarray(vectorOffset, stateOffset), state: bytes.subarray(stateOffset) }
}

/** The error of a part that was kept and cannot be had any more. */
export function damaged(document: string, reference: ArchiveReference, why: string): StorageError {
  const part = `Part ${JSON.stringify(reference.slice(0, 64))} of the archived document ${JSON.stringify(document)}`
  return new StorageError('ARCHIVE_DAMAGED', `${part} cannot be read: ${why}.`)
}

function checksum(reference: ArchiveReference, bytes: Buffer): number {
  return crc32(bytes.subarray(NAME_LENGTH_OFFSET), crc32(reference))
}
