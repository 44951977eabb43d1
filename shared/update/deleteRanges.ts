import { MalformedUpdateError } from '../errors.ts'
import type { ByteReader } from './byteReader.ts'
import { ClientList } from './clientList.ts'

/** The `fail` of everyone who reads updates. */
export function malformed(message: string): never {
  throw new MalformedUpdateError(`The update ${message}`)
}

/**
 * Reads a delete set, wherever it stands: flat [client, clock, length], in wire order. Ranges of one client must be
 * sorted by clock, as Yjs writes them: out of order they cost Yjs quadratic time, and its V2 format, in which it keeps
 * deletes it cannot apply yet, cannot express them (nor empty ones).
 *
 *     deletes = count (client count (clock length)*)*
 */
export function readDeletes(reader: ByteReader): number[] {
  const deletes: number[] = []
  const blocks = reader.count(2)
  const clients = blocks > 1 ? new ClientList() : null
  for (let i = 0; i < blocks; i++) {
    const client = reader.varUint()
    readRanges(reader, client, deletes)
    clients?.add(client)
  }
  if (clients?.hasDuplicate() === true) reader.fail('lists a client twice in its deletes')
  return deletes
}

function readRanges(reader: ByteReader, client: number, deletes: number[]): void {
  const ranges = reader.count(2)
  let lowest = 0
  for (let i = 0; i < ranges; i++) {
    const clock = reader.varUint()
    const length = reader.varUint()
    if (clock < lowest) reader.fail('has deletes out of order')
    if (length === 0) reader.fail('has an empty delete')
    if (clock + length > Number.MAX_SAFE_INTEGER) reader.fail('has a clock beyond 2^53 - 1')
    deletes.push(client, clock, length)
    lowest = clock
  }
}
