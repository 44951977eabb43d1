import { crc32 } from 'node:zlib'
import type { Snapshot } from '../engine.ts'
import { readSequence, writeSequence } from './keys.ts'

/**
 * Value of every record: 01 (version of this layout) | CRC-32 (4 bytes) | payload.
 *
 * The checksum is ours because LevelDB returns a flipped bit of a table file as data. It covers the key as well as the
 * payload, so that a valid value found under a damaged key (or under another document's) is not taken for that
 * document's. CRC-32 rather than CRC-32C because Node has it natively: about 1 GB/s, no dependency.
 */
const RECORD_VERSION = 1
const CHECKSUM_OFFSET = 1
export const HEADER_BYTES = 5

/** Fills in the header of `value`, whose payload already stands behind `HEADER_BYTES`. */
export function sealInPlace(key: Uint8Array, value: Buffer): void {
  value[0] = RECORD_VERSION
  value.writeUInt32BE(checksum(key, value), CHECKSUM_OFFSET)
}

export function sealRecord(key: Uint8Array, payload: Uint8Array): Buffer {
  const value = Buffer.allocUnsafe(HEADER_BYTES + payload.length)
  value.set(payload, HEADER_BYTES)
  sealInPlace(key, value)
  return value
}

/** The payload (a view, not a copy), or null when the record is not what was written under this key. */
export function openRecord(key: Uint8Array, value: Uint8Array): Uint8Array | null {
  if (value.length < HEADER_BYTES || value[0] !== RECORD_VERSION) return null
  const stored = new DataView(value.buffer, value.byteOffset).getUint32(CHECKSUM_OFFSET)
  return stored === checksum(key, value) ? value.subarray(HEADER_BYTES) : null
}

/**
 * What is known about a document beside its records. Payload: base (8) | previous (8) | head (8) | name, UTF-8.
 *
 * Written in the same batch as every entry: it says how many entries there must be, so that the loss of the last ones
 * (a damaged key makes LevelDB sort them elsewhere) is seen as surely as a hole. The log holds every entry after
 * `previous`. A sequence of 0 means "none".
 */
export interface Meta {
  /** Last entry contained in the current snapshot. */
  readonly base: number
  /** Last entry contained in the snapshot of the previous generation. */
  readonly previous: number
  /** Last entry written. */
  readonly head: number
  readonly name: string
}

const META_NAME_OFFSET = 24

/** Writes the payload of a meta record into `target` at `offset` and returns where it ends. */
export function writeMeta(target: Buffer, offset: number, meta: Meta): number {
  writeSequence(target, offset, meta.base)
  writeSequence(target, offset + 8, meta.previous)
  writeSequence(target, offset + 16, meta.head)
  const nameOffset = offset + META_NAME_OFFSET
  return nameOffset + target.write(meta.name, nameOffset, 'utf8')
}

export function decodeMeta(payload: Uint8Array): Meta | null {
  if (payload.length < META_NAME_OFFSET) return null
  const name = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8', META_NAME_OFFSET)
  return { base: readSequence(payload, 0), previous: readSequence(payload, 8), head: readSequence(payload, 16), name }
}

/** Payload of a snapshot: length of the state vector (4) | state vector | state as one V1 update. */
export function encodeSnapshot(snapshot: Snapshot): Buffer {
  const { state, stateVector } = snapshot
  const payload = Buffer.allocUnsafe(4 + stateVector.length + state.length)
  payload.writeUInt32BE(stateVector.length, 0)
  payload.set(stateVector, 4)
  payload.set(state, 4 + stateVector.length)
  return payload
}

export function decodeSnapshot(payload: Uint8Array): Snapshot | null {
  if (payload.length < 4) return null
  const end = 4 + new DataView(payload.buffer, payload.byteOffset).getUint32(0)
  if (end > payload.length) return null
  return { stateVector: payload.subarray(4, end), state: payload.subarray(end) }
}

function checksum(key: Uint8Array, value: Uint8Array): number {
  return crc32(value.subarray(HEADER_BYTES), crc32(key))
}
