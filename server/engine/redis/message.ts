import type { Cursor, Message } from '../engine.ts'
import { isPlausible } from './redisCursor.ts'

/**
 * What is said on a document's channel. Lengths are one byte, texts ASCII:
 *
 *     01 version | 01 entry   | length, cursor | length, cursor of the entry before (empty: none) | update
 *     01 version | 02 message | length, node   | length, kind                                     | bytes
 *     01 version | 03 look    the log is not what it was (removed): compare
 *     01 version | 04 left    | length, node
 *
 * An entry names the one before it: whoever is exactly there has missed nothing, whatever was lost on the way. Entries
 * are written by a script (`scripts.ts`), inside Redis.
 */
const VERSION = 1
const ENTRY = 1
const MESSAGE = 2
const LOOK = 3
const LEFT = 4

export type Said =
  | { readonly type: 'entry'; readonly cursor: Cursor; readonly previous: Cursor | null; readonly update: Uint8Array }
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'look' }
  | { readonly type: 'left'; readonly node: string }

export const LOOK_MESSAGE = Buffer.of(VERSION, LOOK)

export function encodeMessage(node: string, kind: string, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(VERSION, MESSAGE), shortText(node), shortText(kind), bytes])
}

export function encodeLeft(node: string): Buffer {
  return Buffer.concat([Buffer.of(VERSION, LEFT), shortText(node)])
}

/** Null: malformed, or of a version or type unknown here. Entries and messages hold views of `bytes`. */
export function decodeSaid(bytes: Buffer): Said | null {
  if (bytes.length < 2 || bytes[0] !== VERSION) return null
  switch (bytes[1]) {
    case ENTRY:
      return decodeEntry(bytes)
    case MESSAGE:
      return decodeMessage(bytes)
    case LOOK:
      return { type: 'look' }
    case LEFT: {
      const node = readText(bytes, 2)
      return node === null || node.text === '' ? null : { type: 'left', node: node.text }
    }
    case undefined:
    default:
      return null
  }
}

function decodeEntry(bytes: Buffer): Said | null {
  const cursor = readText(bytes, 2)
  const previous = cursor === null ? null : readText(bytes, cursor.end)
  if (cursor === null || previous === null || !isPlausible(cursor.text)) return null
  const before = previous.text === '' ? null : previous.text
  return { type: 'entry', cursor: cursor.text, previous: before, update: bytes.subarray(previous.end) }
}

function decodeMessage(bytes: Buffer): Said | null {
  const from = readText(bytes, 2)
  const kind = from === null ? null : readText(bytes, from.end)
  if (from === null || kind === null || from.text === '') return null
  return { type: 'message', message: { from: from.text, kind: kind.text, bytes: bytes.subarray(kind.end) } }
}

function readText(bytes: Buffer, offset: number): { readonly text: string; readonly end: number } | null {
  const length = bytes[offset]
  if (length === undefined) return null
  const end = offset + 1 + length
  return end > bytes.length ? null : { text: bytes.toString('latin1', offset + 1, end), end }
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length > 255) throw new RangeError('a text on a channel has at most 255 bytes')
  return Buffer.concat([Buffer.of(bytes.length), bytes])
}
