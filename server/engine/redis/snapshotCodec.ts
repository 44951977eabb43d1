import type { Snapshot } from '../engine.ts'

/**
 * How a snapshot is kept, integers big-endian:
 *
 *     01 version | length of state vector (4) | state vector | state as one V1 update
 */
const VERSION = 1
const VECTOR_OFFSET = 5

export function encodeSnapshot({ state, stateVector }: Snapshot): Buffer {
  const bytes = Buffer.allocUnsafe(VECTOR_OFFSET + stateVector.length + state.length)
  bytes[0] = VERSION
  bytes.writeUInt32BE(stateVector.length, 1)
  bytes.set(stateVector, VECTOR_OFFSET)
  bytes.set(state, VECTOR_OFFSET + stateVector.length)
  return bytes
}

/** Null when the bytes are not a snapshot of this version. Views, not copies: a snapshot is most of what was read. */
export function decodeSnapshot(bytes: Buffer): Snapshot | null {
  if (bytes.length < VECTOR_OFFSET || bytes[0] !== VERSION) return null
  const stateOffset = VECTOR_OFFSET + bytes.readUInt32BE(1)
  if (stateOffset > bytes.length) return null
  const view = (start: number, end: number): Uint8Array =>
    new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
  return { stateVector: view(VECTOR_OFFSET, stateOffset), state: view(stateOffset, bytes.length) }
}
