import * as Y from 'yjs'
import { awarenessMoves, type Dialect } from '../wire/dialect.ts'
import type { Recorded } from './recorder.ts'

/** Clocks `from` (inclusive) to `to` (exclusive) of one client id; of presence: the one move `from`. */
export interface Range {
  readonly client: number
  readonly from: number
  readonly to: number
}

/** What one message says, reduced to identities. */
export interface Decoded {
  readonly kind: 'document' | 'presence' | 'other'
  readonly ranges: readonly Range[]
}

/** The structs an update brings; gaps (Skip) are none. */
export function updateRanges(update: Uint8Array): Range[] {
  const ranges: Range[] = []
  for (const struct of Y.decodeUpdate(update).structs) {
    if (struct instanceof Y.Skip) continue
    const { client, clock } = struct.id
    const last = ranges.at(-1)
    if (last?.client === client && last.to === clock) ranges[ranges.length - 1] = { ...last, to: clock + struct.length }
    else ranges.push({ client, from: clock, to: clock + struct.length })
  }
  return ranges
}

function decode(bytes: Uint8Array, dialect: Dialect): Decoded {
  const { kind, payload } = dialect.read(bytes)
  if (kind === 'step2' || kind === 'update') return { kind: 'document', ranges: updateRanges(payload) }
  if (kind !== 'awareness') return { kind: 'other', ranges: [] }
  const moves = awarenessMoves(payload)
  return { kind: 'presence', ranges: moves.map(({ client, move }) => ({ client, from: move, to: move + 1 })) }
}

const EDGE = 24

/** Decodes each distinct message once: a broadcast reaches everybody with the same bytes. */
export class MessageDecoder {
  private readonly dialect: Dialect
  private readonly known = new Map<string, { readonly bytes: Buffer; readonly decoded: Decoded }[]>()

  constructor(dialect: Dialect) {
    this.dialect = dialect
  }

  decode({ bytes }: Recorded): Decoded {
    const { length } = bytes
    const key = `${length}:${bytes.toString('latin1', 0, EDGE)}${bytes.toString('latin1', Math.max(0, length - EDGE), length)}`
    const bucket = this.known.get(key) ?? []
    const hit = bucket.find((one) => one.bytes.equals(bytes))
    if (hit !== undefined) return hit.decoded
    const decoded = decode(bytes, this.dialect)
    bucket.push({ bytes, decoded })
    this.known.set(key, bucket)
    return decoded
  }
}
