import { createHash } from 'node:crypto'
import { hashSlot } from './hashSlot.ts'

/**
 * Where a document is kept. The part in braces is what Redis Cluster hashes, so that everything about one document is on
 * one shard, and one script may touch all of it:
 *
 *     <prefix>{<tag>}:log       stream, one entry per append       tag: the first 16 bytes of SHA-256 of the name, hex
 *     <prefix>{<tag>}:meta      hash: name, head, base, prev (cursors), snapshot, archive, spent (references); see
 *                               `scripts.ts`, `snapshotCodec.ts`, `archivedDocuments.ts`
 *     <prefix>{<tag>}:channel   sharded channel (see `message.ts`); with the number of a database other than 0 behind it,
 *                               because channels are the same in all databases
 *     <prefix>names             sorted set of all names, every score 0: byte order
 *
 * The snapshot is a field of the hash, not a key: while a cluster moves a slot it refuses commands of which one key is not
 * there, and a young document has no snapshot.
 */
export interface DocumentKeys {
  readonly name: string
  readonly log: string
  readonly meta: string
  readonly channel: string
  /** Written when a failed server is tried again. */
  readonly probe: string
  readonly slot: number
}

/** Documents whose keys are remembered: a hash takes as long as half of an append. */
const MAX_CACHED = 20_000
const TAG_BYTES = 16

/** The keys of everything that is kept under one prefix. */
export class KeySpace {
  readonly names: string
  readonly namesSlot: number
  readonly prefix: string
  readonly #channel: string
  readonly #cache = new Map<string, DocumentKeys>()

  constructor(prefix: string, database = 0) {
    this.prefix = prefix
    this.#channel = database === 0 ? 'channel' : `channel:${String(database)}`
    this.names = `${prefix}names`
    this.namesSlot = hashSlot(this.names)
  }

  of(document: string): DocumentKeys {
    const cached = this.#cache.get(document)
    if (cached !== undefined) return cached
    const keys = this.#derive(document)
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
    this.#cache.set(document, keys)
    return keys
  }

  #derive(name: string): DocumentKeys {
    const tag = createHash('sha256').update(name, 'utf8').digest().toString('hex', 0, TAG_BYTES)
    const key = (kind: string): string => `${this.prefix}{${tag}}:${kind}`
    return {
      name,
      log: key('log'),
      meta: key('meta'),
      channel: key(this.#channel),
      probe: key('probe'),
      slot: hashSlot(tag),
    }
  }
}
