import { ByteReader } from './byteReader.ts'
import { malformed, readDeletes } from './deleteRanges.ts'
import type { UpdateShape } from './updateShape.ts'

/** What has been deleted: per client, flat [start, end (exclusive)] pairs of clocks, sorted, neither touching nor overlapping. */
export type DeleteSet = Map<number, number[]>

/**
 * Reads the delete set of an update, from `offset` (`UpdateShape.deleteSetOffset`) to its end.
 * Throws `MalformedUpdateError`.
 */
export function readDeleteSet(update: Uint8Array, offset: number): DeleteSet {
  const reader = new ByteReader(update, malformed, offset)
  const deletes = readDeletes(reader)
  if (reader.remaining > 0) reader.fail('has bytes after its end')
  const known: DeleteSet = new Map()
  addRanges(known, deletes)
  return known
}

/** Whether everything the update deletes is deleted already. */
export function containsDeletes(known: DeleteSet, { deletes }: UpdateShape): boolean {
  for (let i = 0; i < deletes.length; i += 3) {
    const ranges = known.get(deletes[i] as number)
    const start = deletes[i + 1] as number
    if (ranges === undefined || !covers(ranges, start, start + (deletes[i + 2] as number))) return false
  }
  return true
}

/** Adds to `known` what the update deletes. */
export function mergeDeletes(known: DeleteSet, { deletes }: UpdateShape): void {
  addRanges(known, deletes)
}

function covers(ranges: readonly number[], start: number, end: number): boolean {
  const at = rangeAt(ranges, start)
  return at >= 0 && end <= (ranges[at + 1] as number)
}

/** The index of the last range that begins at or before `clock`, or -2 if there is none. */
function rangeAt(ranges: readonly number[], clock: number): number {
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((ranges[middle * 2] as number) <= clock) low = middle + 1
    else high = middle
  }
  return (low - 1) * 2
}

/** Client by client, because one client's ranges come one after another and can be merged in one pass. */
function addRanges(known: DeleteSet, deletes: readonly number[]): void {
  let from = 0
  while (from < deletes.length) {
    const client = deletes[from] as number
    let to = from + 3
    while (to < deletes.length && deletes[to] === client) to += 3
    known.set(client, merged(known.get(client) ?? [], deletes, from, to))
    from = to
  }
}

/** Merges `ranges` with the sorted triples of one client in `deletes`, from index `from` to `to` (exclusive). */
function merged(ranges: readonly number[], deletes: readonly number[], from: number, to: number): number[] {
  const result: number[] = []
  let known = 0
  let added = from
  while (known < ranges.length || added < to) {
    const addedStart = added < to ? (deletes[added + 1] as number) : Infinity
    if (known < ranges.length && (ranges[known] as number) <= addedStart) {
      append(result, ranges[known] as number, ranges[known + 1] as number)
      known += 2
    } else {
      append(result, addedStart, addedStart + (deletes[added + 2] as number))
      added += 3
    }
  }
  return result
}

/** Appends a range that begins at or after the last one's beginning. */
function append(ranges: number[], start: number, end: number): void {
  const last = ranges.length - 1
  const lastEnd = last < 0 ? -1 : (ranges[last] as number)
  if (start > lastEnd) ranges.push(start, end)
  else ranges[last] = Math.max(lastEnd, end)
}
