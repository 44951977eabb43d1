import { StorageError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { ArchiveReference } from '../archive/archive.ts'
import type { Cursor, Entry, Loaded, Snapshot } from '../engine.ts'
import type { Reply } from './connection.ts'
import type { DocumentKeys } from './keys.ts'
import { LOOK_MESSAGE } from './message.ts'
import type { NameIndex } from './nameIndex.ts'
import { cursorOf, parsePlace } from './redisCursor.ts'
import { asList, asOptionalText, asText, asWords } from './replies.ts'
import type { ScriptCalls } from './scriptCalls.ts'
import { followScript, loadScript, pieceScript } from './scripts.ts'
import type { Shards } from './shards.ts'
import { decodeSnapshot } from './snapshotCodec.ts'

/** What came after a cursor. */
export interface Followed {
  readonly entries: readonly Entry[]
  /** True when that was not all. */
  readonly more: boolean
}

/** A document as Redis has it. */
export interface Stored extends Loaded {
  /** What else belongs to it, in the archive: then there is no snapshot here. */
  readonly archived: readonly ArchiveReference[]
  /** What belonged to it once, in the archive: nothing needs it, except a Redis that has lost the last seconds. */
  readonly spent: readonly ArchiveReference[]
  /** True when there is no document because it has just been removed. */
  readonly removed: boolean
}

/** The first piece of a value, and where the others are (`pieceScript`). */
interface FirstPiece {
  readonly place: readonly [where: string, owner: string]
  readonly bytes: Reply | undefined
  readonly length: Reply | undefined
}

const NOTHING: Stored = {
  base: null,
  snapshot: null,
  tail: [],
  head: null,
  damaged: false,
  archived: [],
  spent: [],
  removed: false,
}

/** Fields of an entry in a reply: id, name of the append, first piece of the update, bytes of all pieces. */
const ENTRY_FIELDS = 4
/** Times that a document which is compacted again and again while its pieces are read is begun anew. */
const MAX_READINGS = 5

/** Milliseconds within which a node that is told to look finds that the log has lost what it holds, and says so. */
const LOOK_MS = 200
/** Milliseconds within which all nodes have found a server that took another one's place, or came back. */
const YOUNG_MS = 3_000

export interface DocumentReaderOptions {
  readonly calls: ScriptCalls
  readonly shards: Shards
  readonly names: NameIndex
  readonly clock: Clock
}

/** Reads the logs in Redis, in replies of bounded size: one document's bytes do not keep the others waiting. */
export class DocumentReader {
  readonly #calls: ScriptCalls
  readonly #shards: Shards
  readonly #names: NameIndex
  readonly #clock: Clock

  constructor({ calls, shards, names, clock }: DocumentReaderOptions) {
    this.#calls = calls
    this.#shards = shards
    this.#names = names
    this.#clock = clock
  }

  /**
   * A document that is not there is not new as long as it may come back: Redis may have lost it while nodes hold it.
   *
   * @param isHolder this node is one of them
   */
  async load(keys: DocumentKeys, isHolder: boolean): Promise<Stored> {
    return this.#retried('Loading', keys, async () => {
      const absent = await this.#load(keys, !isHolder)
      if (absent === 'asked') await new Promise<void>((resolve) => this.#clock.after(LOOK_MS, resolve))
      const stored = absent === 'asked' ? await this.#load(keys, false) : absent
      if (isHolder && stored === 'held') return NOTHING
      const mayReturn = stored === 'held' || (!isHolder && stored === NOTHING && this.#isYoung(keys))
      if (mayReturn) throw unavailable('Loading', keys, 'a node may be about to put it back')
      return stored === 'asked' ? NOTHING : stored
    })
  }

  /** Whether the server is another one than a moment ago: nodes that hold more than it has may not have seen it yet. */
  #isYoung(keys: DocumentKeys): boolean {
    const replacedAt = this.#shards.of(keys.slot)?.replacedAt ?? null
    return replacedAt !== null && this.#clock.now() - replacedAt < YOUNG_MS
  }

  /** 'trimmed' when the entry at `after` is not in the log any more, or not that entry. */
  async tail(keys: DocumentKeys, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    const entries: Entry[] = []
    for (;;) {
      const followed = await this.follow(keys, entries.at(-1)?.cursor ?? after)
      if (followed === 'lost') return 'trimmed'
      entries.push(...followed.entries)
      if (!followed.more) return entries
    }
  }

  async follow(keys: DocumentKeys, after: Cursor | null): Promise<Followed | 'lost'> {
    if (after !== null && parsePlace(after) === null) return 'lost'
    return this.#retried('Reading', keys, () => this.#follow(keys, after))
  }

  async #retried<T>(action: string, keys: DocumentKeys, read: () => Promise<T | 'changed'>): Promise<T> {
    for (let reading = 0; reading < MAX_READINGS; reading++) {
      const result = await read()
      if (result !== 'changed') return result
    }
    throw unavailable(action, keys, 'it changes faster than it can be read')
  }

  async #load(keys: DocumentKeys, asks: boolean): Promise<Stored | 'changed' | 'asked' | 'held'> {
    const reply = await this.#calls.run('Loading', keys, loadScript, [asks ? keys.channel : '', LOOK_MESSAGE])
    if (!Array.isArray(reply)) return absence(asText(reply))
    if (reply.length === 0) return NOTHING
    const [name, head, base, snapshot, length, archived, spent, more, ...fields] = asList(reply)
    this.#names.assure(keys.name)
    if (!Buffer.isBuffer(name) || name.toString('utf8') !== keys.name)
      throw foreign(keys, 'another document has the same keys')
    const whole = await this.#snapshot(keys, { place: ['', asText(base)], bytes: snapshot, length })
    const tail = await this.#tail(keys, fields, asText(more) === '1')
    if (whole === 'changed' || tail === 'changed') return 'changed'
    return {
      base: asOptionalText(base),
      snapshot: whole,
      tail,
      head: tail.at(-1)?.cursor ?? asText(head),
      damaged: false,
      archived: asWords(archived),
      spent: asWords(spent),
      removed: false,
    }
  }

  async #snapshot(keys: DocumentKeys, first: FirstPiece): Promise<Snapshot | null | 'changed'> {
    if (!Buffer.isBuffer(first.bytes)) return null
    const bytes = await this.#whole(keys, first)
    if (bytes === 'changed') return 'changed'
    const snapshot = decodeSnapshot(Buffer.from(bytes.buffer))
    if (snapshot === null) throw foreign(keys, 'its snapshot was not written by this version')
    return snapshot
  }

  /** What the first reply has of the log, and the rest. */
  async #tail(keys: DocumentKeys, fields: readonly Reply[], more: boolean): Promise<readonly Entry[] | 'changed'> {
    const entries = await this.#entries(keys, fields)
    if (entries === 'changed') return 'changed'
    const last = entries.at(-1)
    if (!more || last === undefined) return entries
    const rest = await this.tail(keys, last.cursor)
    return rest === 'trimmed' ? 'changed' : [...entries, ...rest]
  }

  async #follow(keys: DocumentKeys, after: Cursor | null): Promise<Followed | 'lost' | 'changed'> {
    const reply = await this.#calls.run('Reading', keys, followScript, [after ?? ''])
    if (reply === null) return 'lost'
    const [more, ...fields] = asList(reply)
    const entries = await this.#entries(keys, fields)
    return entries === 'changed' ? 'changed' : { entries, more: asText(more) === '1' }
  }

  async #entries(keys: DocumentKeys, fields: readonly Reply[]): Promise<readonly Entry[] | 'changed'> {
    const entries: Entry[] = []
    for (let index = 0; index + ENTRY_FIELDS <= fields.length; index += ENTRY_FIELDS) {
      const [id, append] = [asText(fields[index]), asText(fields[index + 1])]
      const first: FirstPiece = { place: [id, append], bytes: fields[index + 2], length: fields[index + 3] }
      const update = await this.#whole(keys, first)
      if (update === 'changed') return 'changed'
      entries.push({ cursor: cursorOf(id, append), update })
    }
    return entries
  }

  /** A copy: what the client gives is a part of what the socket has read, and would keep all of that alive. */
  async #whole(keys: DocumentKeys, { place, bytes, length }: FirstPiece): Promise<Uint8Array<ArrayBuffer> | 'changed'> {
    const whole = new Uint8Array(Number(asText(length)))
    let read = Buffer.isBuffer(bytes) ? bytes.copy(whole) : 0
    while (read < whole.length) {
      const piece = await this.#calls.run('Reading', keys, pieceScript, [...place, String(read)])
      if (!Buffer.isBuffer(piece) || piece.length === 0) return 'changed'
      read += piece.copy(whole, read)
    }
    return whole
  }
}

function absence(mark: string): Stored | 'asked' | 'held' {
  return mark === 'asked' || mark === 'held' ? mark : { ...NOTHING, removed: true }
}

function unavailable(action: string, keys: DocumentKeys, why: string): StorageError {
  return new StorageError('STORAGE_UNAVAILABLE', `${action} ${JSON.stringify(keys.name)} failed: ${why}.`)
}

function foreign(keys: DocumentKeys, why: string): StorageError {
  return new StorageError('STORAGE_FOREIGN', `${JSON.stringify(keys.name)} cannot be read: ${why}.`)
}
