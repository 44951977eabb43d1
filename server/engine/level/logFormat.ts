/**
 * LevelDB's log files (write-ahead log and manifest): blocks of 32 KiB, each a run of fragments
 *
 *     CRC-32C of type and payload, masked (4, little-endian) | length (2, little-endian) | type (1) | payload
 *
 * A record is one fragment of type 1, or fragments of types 2, 3 …, 4. No fragment crosses the end of a block; fewer
 * than 7 bytes there are padding.
 */
export const BLOCK_BYTES = 32 * 1024
const FRAGMENT_HEADER_BYTES = 7
export const TYPE_OFFSET = 6

const FULL = 1
const FIRST = 2
const LAST = 4

export interface Fragment {
  readonly offset: number
  readonly type: number
  readonly payload: Uint8Array
  /** Where the next fragment begins. */
  readonly end: number
  /** 'cut': the file ends before it does. 'oversized': it claims to cross the end of its block. */
  readonly fit: 'whole' | 'cut' | 'oversized'
}

/** The fragment at `offset` or behind the padding there; null at the end of the file. */
export function readFragment(log: Buffer, offset: number): Fragment | null {
  const left = BLOCK_BYTES - (offset % BLOCK_BYTES)
  const at = left < FRAGMENT_HEADER_BYTES ? offset + left : offset
  if (log.length - at < FRAGMENT_HEADER_BYTES) return null
  const start = at + FRAGMENT_HEADER_BYTES
  const end = start + log.readUInt16LE(at + 4)
  const oversized = end - at > BLOCK_BYTES - (at % BLOCK_BYTES)
  const fit = oversized ? 'oversized' : end > log.length ? 'cut' : 'whole'
  return { offset: at, type: log[at + TYPE_OFFSET] ?? 0, payload: log.subarray(start, end), end, fit }
}

/** The records of a log up to the first fragment that does not fit. Does not verify checksums. */
export function readLogRecords(log: Buffer): Uint8Array[] {
  const records: Uint8Array[] = []
  let parts: Uint8Array[] = []
  for (let fragment = readFragment(log, 0); fragment !== null; fragment = readFragment(log, fragment.end)) {
    if (fragment.fit !== 'whole') break
    if (fragment.type === FULL || fragment.type === FIRST) parts = []
    parts.push(fragment.payload)
    if (fragment.type === FULL || fragment.type === LAST) records.push(Buffer.concat(parts))
  }
  return records
}
