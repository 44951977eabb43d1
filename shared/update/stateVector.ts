import { LimitExceededError, MalformedFrameError } from '../errors.ts'
import { varUintLength, writeVarUint } from '../wire/writer.ts'
import { ByteReader } from './byteReader.ts'
import type { UpdateShape } from './updateShape.ts'

function malformedVector(message: string): never {
  throw new MalformedFrameError(`The state vector ${message}`)
}

/** Per client, the clock its next struct will have: everything below is known. */
export type StateVector = Map<number, number>

/**
 * Decodes a state vector: `count (client clock)*`, all varUint. Throws `MalformedFrameError` if it is truncated, has
 * trailing bytes or names a client twice, and `LimitExceededError` if it has more than `maxEntries` entries.
 */
export function decodeStateVector(bytes: Uint8Array, maxEntries: number): StateVector {
  const reader = new ByteReader(bytes, malformedVector)
  const entries = reader.count(2)
  if (entries > maxEntries) {
    const message = `A state vector of ${entries} entries where at most ${maxEntries} make sense`
    throw new LimitExceededError('maxForeignStateVectorEntries', message)
  }
  const vector: StateVector = new Map()
  for (let i = 0; i < entries; i++) {
    const client = reader.varUint()
    vector.set(client, reader.varUint())
  }
  if (vector.size < entries) reader.fail('names a client twice')
  if (reader.remaining > 0) reader.fail('has bytes after its end')
  return vector
}

/** Encodes a state vector byte for byte as Yjs does: highest client id first. */
export function encodeStateVector(vector: ReadonlyMap<number, number>): Uint8Array {
  const entries = [...vector].sort((a, b) => b[0] - a[0])
  let size = varUintLength(entries.length)
  for (const [client, clock] of entries) size += varUintLength(client) + varUintLength(clock)
  const bytes = new Uint8Array(size)
  let at = writeVarUint(bytes, 0, entries.length)
  for (const [client, clock] of entries) {
    at = writeVarUint(bytes, writeVarUint(bytes, at, client), clock)
  }
  return bytes
}

/**
 * Whether a document in state `vector` has everything the update builds on: then Yjs applies all of it at once, `vector`
 * is moved to the state after it, and the result is 'applied'. Otherwise nothing changes and the result is 'missing'.
 * (Two clients in one update that wait for each other are not found here: Yjs keeps such structs pending.)
 */
export function advance(vector: StateVector, shape: UpdateShape): 'applied' | 'missing' {
  if (!startsInReach(vector, shape.runs)) return 'missing'
  const after = shape.runs.length > 3 ? ends(vector, shape.runs) : null
  if (!hasNeeds(vector, shape, after) || !hasDeleted(vector, shape, after)) return 'missing'
  for (let i = 0; i < shape.runs.length; i += 3) {
    const client = shape.runs[i] as number
    const end = shape.runs[i + 2] as number
    if (end > (vector.get(client) ?? 0)) vector.set(client, end)
  }
  return 'applied'
}

/** Whether all structs of the update are known already. Says nothing about its deletes. */
export function bringsNothing(vector: ReadonlyMap<number, number>, { runs }: UpdateShape): boolean {
  for (let i = 0; i < runs.length; i += 3) {
    if ((runs[i + 2] as number) > (vector.get(runs[i] as number) ?? 0)) return false
  }
  return true
}

/** Runs of one client stand together, lowest clock first, so that only the previous one can close a gap. */
function startsInReach(vector: ReadonlyMap<number, number>, runs: readonly number[]): boolean {
  let client = -1
  let reached = 0
  for (let i = 0; i < runs.length; i += 3) {
    if (runs[i] !== client) {
      client = runs[i] as number
      reached = vector.get(client) ?? 0
    }
    if ((runs[i + 1] as number) > reached) return false
    reached = Math.max(reached, runs[i + 2] as number)
  }
  return true
}

/** The clocks after the update of the clients that wrote something in it. */
function ends(vector: ReadonlyMap<number, number>, runs: readonly number[]): StateVector {
  const after: StateVector = new Map()
  for (let i = 0; i < runs.length; i += 3) {
    const client = runs[i] as number
    after.set(client, Math.max(vector.get(client) ?? 0, runs[i + 2] as number))
  }
  return after
}

function clockAfter(vector: StateVector, shape: UpdateShape, after: StateVector | null, client: number): number {
  const known = vector.get(client) ?? 0
  if (after !== null) return after.get(client) ?? known
  return shape.runs[0] === client ? Math.max(known, shape.runs[2] as number) : known
}

function hasNeeds(vector: StateVector, shape: UpdateShape, after: StateVector | null): boolean {
  if (shape.needs === null) return true
  for (const [client, clock] of shape.needs) {
    if (clock >= clockAfter(vector, shape, after, client)) return false
  }
  return true
}

function hasDeleted(vector: StateVector, shape: UpdateShape, after: StateVector | null): boolean {
  const { deletes } = shape
  let client = -1
  let reached = 0
  for (let i = 0; i < deletes.length; i += 3) {
    if (deletes[i] !== client) {
      client = deletes[i] as number
      reached = clockAfter(vector, shape, after, client)
    }
    if ((deletes[i + 1] as number) + (deletes[i + 2] as number) > reached) return false
  }
  return true
}
