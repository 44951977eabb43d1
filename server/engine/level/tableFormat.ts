/**
 * LevelDB's table files, as far as checking them needs.
 *
 *     table    data blocks | filter block | metaindex block | index block | footer (48 bytes)
 *     footer   metaindex handle | index handle | zeros up to 40 bytes | magic (8, little-endian)
 *     handle   offset (varint) | size (varint), of a block without its trailer
 *     block    entries | restart offsets (4 each, little-endian) | their number (4); then a trailer: compression (1) | checksum (4)
 *     entry    shared key bytes (varint) | further key bytes (varint) | value bytes (varint) | key part | value
 *
 * Keys of data blocks end in 8 bytes of LevelDB's own: type (1; 0 is a deletion) | write number (7), little-endian.
 */
const FOOTER_BYTES = 48
const MAGIC_OFFSET = 40
const MAGIC = 0xdb4775248b80fb57n
const SUFFIX_BYTES = 8

export interface BlockHandle {
  readonly offset: number
  readonly size: number
}

export interface BlockEntry {
  /** Without LevelDB's suffix, where there is one. */
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly deleted: boolean
}

export function parseFooter(table: Buffer): { metaIndex: BlockHandle; index: BlockHandle } | null {
  if (table.length < FOOTER_BYTES) return null
  const footer = table.subarray(table.length - FOOTER_BYTES)
  if (footer.readBigUInt64LE(MAGIC_OFFSET) !== MAGIC) return null
  const metaIndex = readHandle(footer, 0)
  const index = metaIndex === null ? null : readHandle(footer, metaIndex.next)
  return metaIndex === null || index === null ? null : { metaIndex: metaIndex.handle, index: index.handle }
}

export function readHandle(bytes: Uint8Array, at: number): { handle: BlockHandle; next: number } | null {
  const offset = readVarint(bytes, at)
  const size = offset === null ? null : readVarint(bytes, offset.next)
  if (offset === null || size === null) return null
  return { handle: { offset: offset.value, size: size.value }, next: size.next }
}

/** All entries of a block, or null when its structure is damaged or its keys are not in order. */
export function parseBlock(block: Buffer): BlockEntry[] | null {
  if (block.length < 4) return null
  const restarts = block.readUInt32LE(block.length - 4)
  const end = block.length - 4 - 4 * restarts
  if (restarts === 0 || end < 0) return null
  const starts = new Set<number>()
  const entries: BlockEntry[] = []
  let previous: Uint8Array = new Uint8Array(0)
  for (let offset = 0; offset < end;) {
    const entry = readEntry(block.subarray(0, end), offset, previous)
    if (entry === null || !isInOrder(previous, entry.fullKey)) return null
    starts.add(offset)
    entries.push(splitKey(entry.fullKey, entry.value))
    previous = entry.fullKey
    offset = entry.next
  }
  for (let index = 0; index < restarts; index++) {
    const start = block.readUInt32LE(end + 4 * index)
    if (start !== 0 && !starts.has(start)) return null
  }
  return entries
}

function readEntry(
  block: Buffer,
  at: number,
  previous: Uint8Array,
): { fullKey: Uint8Array; value: Uint8Array; next: number } | null {
  const shared = readVarint(block, at)
  const further = shared && readVarint(block, shared.next)
  const size = further && readVarint(block, further.next)
  if (!shared || !further || !size || shared.value > previous.length) return null
  const valueAt = size.next + further.value
  const next = valueAt + size.value
  if (next > block.length) return null
  const fullKey = Buffer.concat([previous.subarray(0, shared.value), block.subarray(size.next, valueAt)])
  return { fullKey, value: block.subarray(valueAt, next), next }
}

function splitKey(fullKey: Uint8Array, value: Uint8Array): BlockEntry {
  const end = Math.max(0, fullKey.length - SUFFIX_BYTES)
  return { key: fullKey.subarray(0, end), value, deleted: fullKey[end] === 0 }
}

/** The same key may occur again, with an older write number; a shorter key than the suffix is no key. */
function isInOrder(previous: Uint8Array, next: Uint8Array): boolean {
  if (previous.length < SUFFIX_BYTES) return true
  const [before, after] = [previous.subarray(0, -SUFFIX_BYTES), next.subarray(0, -SUFFIX_BYTES)]
  return next.length >= SUFFIX_BYTES && Buffer.compare(before, after) <= 0
}

/** LEB128, up to 2^49: files are far smaller. */
export function readVarint(bytes: Uint8Array, at: number): { value: number; next: number } | null {
  let value = 0
  for (let index = 0; index < 7; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) return null
    value += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { value, next: at + index + 1 }
  }
  return null
}
