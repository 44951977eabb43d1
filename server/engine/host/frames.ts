import { constants } from 'node:buffer'
import { StorageError } from '../../../shared/errors.ts'

/**
 * What the host of an engine and a process that uses it say to one another over one local socket. Both ends are of one
 * build, so nothing here has to be understood by another version; `VERSION` makes sure. Integers big-endian:
 *
 *     frame  = length (4) of what follows, type (1), id (4), body
 *     text   = length (2), UTF-8          cursor = text, empty for none
 *     bytes  = length (4), bytes          rest   = the bytes up to the end of the frame
 *
 * The id is that of a request, which its answer repeats, or that of a subscription; 0 where there is neither.
 *
 *     to the host                                          to the process
 *     01 hello        version (1), node text               81 welcome  durability text, health
 *     02 load         name text                            82 done     what was asked for, see below
 *     03 tail         name text, cursor                    83 failed   code text, message text
 *     04 append       name text, update rest               84 entry    cursor, update rest
 *     05 compact      name text, base cursor,              85 message  node text, kind text, rest
 *                     upTo cursor, vector bytes,           86 stale
 *                     state rest                           87 left     node text
 *     06 remove       name text                            88 health   health
 *     07 list         limit (4), prefix text, after text   89 reached  position cursor
 *     08 subscribe    name text, after cursor
 *     09 unsubscribe
 *     0a publish      name text, kind text, rest
 *
 *     done:    load = damaged (1), base cursor, head cursor, with a snapshot (1), vector bytes, state bytes, entries
 *              tail = trimmed (1), entries                 entries = count (4), (cursor, update bytes) …
 *              append = cursor, position cursor             compact = swapped (1)
 *              remove = nothing                            list = count (4), name text …
 *     health:  failing (1), code text, message text
 */
export const VERSION = 1

export const FrameType = {
  hello: 0x01,
  load: 0x02,
  tail: 0x03,
  append: 0x04,
  compact: 0x05,
  remove: 0x06,
  list: 0x07,
  subscribe: 0x08,
  unsubscribe: 0x09,
  publish: 0x0a,
  welcome: 0x81,
  done: 0x82,
  failed: 0x83,
  entry: 0x84,
  message: 0x85,
  stale: 0x86,
  left: 0x87,
  health: 0x88,
  reached: 0x89,
} as const

/** Bytes of the length that begins a frame. */
export const LENGTH_BYTES = 4
/** Type and id. */
export const HEADER_BYTES = 5
/** Longest frame: what a document, its snapshot and its log, may take in one piece. Longer ones mean a broken stream. */
export const MAX_FRAME_BYTES = Math.min(2 ** 31 - 1, constants.MAX_LENGTH)
/** What a frame holds besides updates and snapshots: names, cursors, counts. */
const MAX_REST_BYTES = 1024 * 1024

/** @throws StorageError when so many bytes cannot be sent in one frame */
export function requireFitting(bytes: number): void {
  if (bytes <= MAX_FRAME_BYTES - MAX_REST_BYTES) return
  throw new StorageError('STORAGE_UNAVAILABLE', `${bytes} bytes are too many to pass between two processes at once.`)
}

/** One received frame, read field by field. Throws RangeError when there are fewer bytes than asked for. */
export class Frame {
  readonly type: number
  readonly id: number
  readonly #bytes: Buffer
  #at = HEADER_BYTES

  /** @param bytes without the length */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.type = bytes.readUInt8(0)
    this.id = bytes.readUInt32BE(1)
  }

  flag(): boolean {
    return this.#bytes.readUInt8(this.#skip(1)) === 1
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#skip(1))
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#skip(4))
  }

  text(): string {
    const length = this.#bytes.readUInt16BE(this.#skip(2))
    const start = this.#skip(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** null for the empty text. */
  cursor(): string | null {
    return this.text() || null
  }

  /** A view into what was received. */
  bytes(): Buffer {
    const length = this.uint32()
    const start = this.#skip(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** A view into what was received. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#skip(this.#bytes.length - this.#at))
  }

  #skip(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw new RangeError('a frame ends in the middle of a field')
    this.#at = start + length
    return start
  }
}
