import { LimitExceededError } from '../errors.ts'
import { defaultLimits } from '../limits.ts'
import type { Limits } from '../limits.ts'
import { ByteReader } from './byteReader.ts'
import { ClientList } from './clientList.ts'
import { malformed, readDeletes } from './deleteRanges.ts'
import { skipContent } from './itemContent.ts'
import type { UpdateShape } from './updateShape.ts'

/** The limits that bear on updates. */
export type UpdateLimits = Pick<Limits, 'maxValueDepth' | 'maxStructsPerUpdate'>

const GC = 0
const SKIP = 10
const KIND = 0x1f
const HAS_ORIGIN = 0x80
const HAS_RIGHT_ORIGIN = 0x40
const HAS_PARENT_SUB = 0x20

/**
 * Reads a Yjs update (format V1) from the first to the last byte, without Yjs and without building anything, and says
 * what it holds. Bounded by the bytes there are: time and memory grow with them, never with what they announce.
 *
 * Throws `MalformedUpdateError` for everything that Yjs would not survive whole: truncated or trailing bytes, counts and
 * lengths that cannot be there, text that is not UTF-8 or not JSON, unknown kinds, numbers beyond 2^53 - 1, empty
 * structs, a client listed twice, structs that refer to themselves or to what their own author wrote later, values
 * nested deeper than `maxValueDepth` (default 64). Throws `LimitExceededError` above `maxStructsPerUpdate`.
 *
 *     update  = count block* deletes
 *     block   = count client clock struct*
 *     struct  = 00 length (collected) | 0a length (skip: unknown to the sender) | info refs content
 *     info    = content kind (5 bits) | 20 has a key | 40 has a right neighbour | 80 has a left neighbour
 *     refs    = [id of left neighbour] [id of right neighbour] | parent [key string]      the latter if there is neither
 *     parent  = 01 name of root type | 00 id
 *     id      = client clock
 *     deletes = count (client count (clock length)*)*
 *     count, client, clock, length = varUint
 *
 * A key follows only a parent; a struct with neighbours inherits both from them. Clocks of a block run on from its
 * first: a struct takes as many as it is long.
 */
export function walkUpdate(update: Uint8Array, limits: UpdateLimits = defaultLimits): UpdateShape {
  return new UpdateWalk(new ByteReader(update, malformed), limits).walk()
}

class UpdateWalk {
  readonly #reader: ByteReader
  readonly #limits: UpdateLimits
  readonly #runs: number[] = []
  #structs = 0
  #keyed = false
  #needs: Map<number, number> | null = null
  #neededClient = -1
  #neededClock = -1
  #client = 0
  #clock = 0

  constructor(reader: ByteReader, limits: UpdateLimits) {
    this.#reader = reader
    this.#limits = limits
  }

  walk(): UpdateShape {
    this.#readBlocks()
    const deleteSetOffset = this.#reader.position
    const deletes = readDeletes(this.#reader)
    if (this.#reader.remaining > 0) this.#reader.fail('has bytes after its end')
    const shape = { runs: this.#runs, needs: this.#needs, deletes, deleteSetOffset }
    const counted = this.#structs > 1 ? { ...shape, structs: this.#structs } : shape
    return this.#keyed ? { ...counted, keyed: true } : counted
  }

  #readBlocks(): void {
    const blocks = this.#reader.count(3)
    const clients = blocks > 1 ? new ClientList() : null
    for (let i = 0; i < blocks; i++) {
      this.#readBlock()
      clients?.add(this.#client)
    }
    // Yjs would keep the last of them only, silently.
    if (clients?.hasDuplicate() === true) this.#reader.fail('lists a client twice')
  }

  #readBlock(): void {
    const reader = this.#reader
    const structs = reader.varUint()
    this.#client = reader.varUint()
    this.#clock = reader.varUint()
    // The shortest struct takes 2 bytes. Checked before the loop, because Yjs allocates the whole list at once.
    if (structs > reader.remaining / 2) reader.fail(`announces ${structs} structs, more than fit`)
    this.#structs += structs
    if (this.#structs > this.#limits.maxStructsPerUpdate) {
      throw new LimitExceededError(
        'maxStructsPerUpdate',
        `An update of more than ${this.#limits.maxStructsPerUpdate} structs`,
      )
    }
    let first = this.#clock
    for (let i = 0; i < structs; i++) {
      const info = reader.byte()
      const length = this.#readStruct(info)
      const start = this.#clock
      this.#clock += length
      if (length === 0) reader.fail('has an empty struct')
      if (this.#clock > Number.MAX_SAFE_INTEGER) reader.fail('has a clock beyond 2^53 - 1')
      if (info === SKIP) {
        this.#addRun(first, start)
        first = this.#clock
      }
    }
    this.#addRun(first, this.#clock)
  }

  #addRun(first: number, end: number): void {
    if (end > first) this.#runs.push(this.#client, first, end)
  }

  #readStruct(info: number): number {
    const reader = this.#reader
    if (info === GC || info === SKIP) return reader.varUint()
    const kind = info & KIND
    if (kind === GC || kind === SKIP) reader.fail('has neighbours on a struct that cannot have any')
    if ((info & HAS_PARENT_SUB) !== 0) this.#keyed = true
    if ((info & (HAS_ORIGIN | HAS_RIGHT_ORIGIN)) === 0) {
      this.#readParent(info)
    } else {
      if ((info & HAS_ORIGIN) !== 0) this.#readReference()
      if ((info & HAS_RIGHT_ORIGIN) !== 0) this.#readReference()
    }
    return skipContent(reader, kind, this.#limits.maxValueDepth)
  }

  #readParent(info: number): void {
    const reader = this.#reader
    const isRoot = reader.varUint()
    if (isRoot > 1) reader.fail('has a parent that is neither a root nor an id')
    if (isRoot === 1) reader.skipString()
    else this.#readReference()
    if ((info & HAS_PARENT_SUB) !== 0) reader.skipString()
  }

  #readReference(): void {
    const client = this.#reader.varUint()
    const clock = this.#reader.varUint()
    if (client !== this.#client) this.#need(client, clock)
    // Yjs looks its author's structs up without checking that they exist, and throws half-way through the update.
    else if (clock >= this.#clock) this.#reader.fail('has a struct that refers to itself or to a later one')
  }

  #need(client: number, clock: number): void {
    if (client === this.#neededClient && clock <= this.#neededClock) return
    this.#needs ??= new Map()
    const known = this.#needs.get(client) ?? -1
    const highest = Math.max(known, clock)
    if (highest > known) this.#needs.set(client, highest)
    this.#neededClient = client
    this.#neededClock = highest
  }
}
