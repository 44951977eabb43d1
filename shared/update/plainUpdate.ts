import { writeVarUint, varUintLength } from '../wire/writer.ts'
import { malformed } from './deleteRanges.ts'
import { ByteReader } from './byteReader.ts'

const STRING = 4
const KIND = 0x1f
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20
/** An update without deletes ends with their number. */
const NO_DELETES = 0

/** One client's insertions of single characters, and nothing else: what typing produces. */
interface PlainUpdate {
  readonly client: number
  /** Of the first struct. */
  readonly clock: number
  /** Structs, which is also how many clocks they take. */
  readonly count: number
  readonly bytes: Uint8Array
  /** Where the structs begin in `bytes`; they end one byte before its end. */
  readonly start: number
}

/**
 * Reads an update that `walkUpdate` has accepted; null when it is more than plain. Several values in one item, keys of
 * maps, formats and nested types are left to Yjs, since items like these can make it throw later.
 */
function readPlain(update: Uint8Array): PlainUpdate | null {
  const reader = new ByteReader(update, malformed)
  if (reader.varUint() !== 1 || update[update.length - 1] !== NO_DELETES) return null
  const count = reader.varUint()
  const client = reader.varUint()
  const clock = reader.varUint()
  const start = reader.position
  for (let index = 0; index < count; index += 1) if (!skipCharacter(reader)) return null
  return count > 0 && reader.remaining === 1 ? { client, clock, count, bytes: update, start } : null
}

/** False when the next struct is anything else than one character in a sequence. */
function skipCharacter(reader: ByteReader): boolean {
  const info = reader.byte()
  if ((info & KIND) !== STRING || (info & HAS_PARENT_SUB) !== 0) return false
  if ((info & HAS_ORIGIN) !== 0) skipId(reader)
  if ((info & HAS_RIGHT_ORIGIN) !== 0) skipId(reader)
  if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) === 0) {
    if (reader.varUint() === 1) reader.skipString()
    else skipId(reader)
  }
  return reader.skipString() === 1
}

function skipId(reader: ByteReader): void {
  reader.varUint()
  reader.varUint()
}

/** What one client wrote in several updates, in order. */
interface Block {
  readonly client: number
  readonly clock: number
  count: number
  size: number
  readonly parts: PlainUpdate[]
}

function blocksOf(updates: readonly Uint8Array[]): Block[] | null {
  const blocks = new Map<number, Block>()
  for (const update of updates) {
    const plain = readPlain(update)
    if (plain === null) return null
    const block = blocks.get(plain.client) ?? { client: plain.client, clock: plain.clock, count: 0, size: 0, parts: [] }
    if (plain.clock !== block.clock + block.count) return null
    block.count += plain.count
    block.size += plain.bytes.length - 1 - plain.start
    block.parts.push(plain)
    blocks.set(plain.client, block)
  }
  return [...blocks.values()].sort((a, b) => b.client - a.client)
}

/**
 * One update with everything these updates hold, as Yjs would order it (highest client first), built by copying bytes;
 * null when one of them is more than plain. Their clocks must go on where the document's end, each client's in order.
 */
export function mergePlain(updates: readonly Uint8Array[]): Uint8Array | null {
  const blocks = blocksOf(updates)
  if (blocks === null) return null
  let size = varUintLength(blocks.length) + 1
  for (const block of blocks) {
    size += varUintLength(block.count) + varUintLength(block.client) + varUintLength(block.clock) + block.size
  }
  const merged = new Uint8Array(size)
  let at = writeVarUint(merged, 0, blocks.length)
  for (const block of blocks) {
    at = writeVarUint(merged, at, block.count)
    at = writeVarUint(merged, at, block.client)
    at = writeVarUint(merged, at, block.clock)
    for (const { bytes, start } of block.parts) {
      merged.set(bytes.subarray(start, bytes.length - 1), at)
      at += bytes.length - 1 - start
    }
  }
  return merged
}
