import type { Cursor } from '../engine.ts'

/**
 * A cursor of this engine: "<epoch>.<node>.<number>-<sequence>".
 *
 * Redis may lose what it has acknowledged (a failover, a restart without its data) and hand out the same places again, to
 * other entries. So a cursor does not only say where an entry is, but also which one it is: node and number, base 36,
 * name the append that wrote it. Whoever comes with a cursor of a lost past is told apart by that, without anything to
 * remember.
 *
 * epoch: decimal, grows; milliseconds of Redis' clock when the document was first written, or when a node came whose past
 * was lost. sequence: 1, 2, 3, … in each epoch. Stream ids are "<epoch>-<sequence>".
 */
export interface Place {
  readonly epoch: number
  readonly sequence: number
  /** Node and number of the append. */
  readonly append: string
}

const pattern = /^(\d{1,16})\.([\da-z]{1,32}\.[\da-z]{1,11})-([1-9]\d{0,15})$/

/** Null: not a cursor of this engine. */
export function parsePlace(cursor: Cursor): Place | null {
  const match = pattern.exec(cursor)
  if (match === null) return null
  const [, epoch = '', append = '', sequence = ''] = match
  return { epoch: Number(epoch), append, sequence: Number(sequence) }
}

/** Milliseconds since 1970 which no clock shows: the year 5138. */
const LAST_EPOCH = 100_000_000_000_000

/** False for what Redis cannot have written. Nodes raise epochs above what they have heard of: one word would do harm for ever. */
export function isPlausible(cursor: Cursor): boolean {
  const place = parsePlace(cursor)
  return place !== null && place.epoch <= LAST_EPOCH
}

/** From a stream id, "<epoch>-<sequence>", and the append's name. */
export function cursorOf(streamId: string, append: string): Cursor {
  const dash = streamId.indexOf('-')
  return `${streamId.slice(0, dash)}.${append}${streamId.slice(dash)}`
}

/** Node and number of the append that wrote it. */
export function appendOf(cursor: Cursor): string {
  return cursor.slice(cursor.indexOf('.') + 1, cursor.lastIndexOf('-'))
}

/** True when `cursor` stands later in the log; null stands before everything. */
export function isLater(cursor: Cursor, than: Cursor | null): boolean {
  if (than === null) return true
  const [left, right] = [parsePlace(cursor), parsePlace(than)]
  if (left === null || right === null) return false
  return left.epoch === right.epoch ? left.sequence > right.sequence : left.epoch > right.epoch
}
