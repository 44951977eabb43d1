import { StorageError, toError } from '../../../shared/errors.ts'
import type { ArchiveReference } from '../archive/archive.ts'
import type { Cursor, Entry, Loaded, Snapshot } from '../engine.ts'
import type { Argument, Reply } from './connection.ts'
import { asStorageError, replyCode } from './errors.ts'
import type { DocumentKeys } from './keys.ts'
import { LOOK_MESSAGE } from './message.ts'
import type { NameIndex } from './nameIndex.ts'
import { cursorOf, parsePlace } from './redisCursor.ts'
import {
  adoptScript,
  appendScript,
  coldScript,
  compactScript,
  followScript,
  forgetScript,
  loadScript,
  removeScript,
  renameScript,
  retireScript,
  type Script,
} from './scripts.ts'
import type { Shards } from './shards.ts'
import { decodeSnapshot, encodeSnapshot } from './snapshotCodec.ts'

export interface Append {
  /** See `nextAppend`. */
  readonly name: string
  readonly update: Uint8Array
  /** The last cursor this node has heard of, so that a storage that fell behind it is noticed. */
  readonly known: Cursor | null
  /** True when this node listens to the document's channel and has missed nothing. */
  readonly listens: boolean
}

export interface Appended {
  readonly cursor: Cursor
  /** The entry before it. */
  readonly previous: Cursor | null
}

/** What came after a cursor. */
export interface Followed {
  readonly entries: readonly Entry[]
  /** True when that was not all. */
  readonly more: boolean
}

/** Commands without an answer beyond which nothing is said any more: only a server that hangs owes that much. */
const MAX_OWED = 10_000

/** A document as Redis has it. */
export interface Stored extends Loaded {
  /** What else belongs to it, in the archive: then there is no snapshot here. */
  readonly archived: readonly ArchiveReference[]
  /** What belonged to it once, in the archive: nothing needs it, except a Redis that has lost the last seconds. */
  readonly spent: readonly ArchiveReference[]
  /** True when there is no document because it has just been removed. */
  readonly removed: boolean
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

/** The logs in Redis: calls the scripts and understands their replies. */
export class DocumentStore {
  readonly #shards: Shards
  readonly #names: NameIndex
  readonly #node: string
  #appends = 0

  constructor(shards: Shards, names: NameIndex, node: string) {
    this.#shards = shards
    this.#names = names
    this.#node = node
  }

  async load(keys: DocumentKeys): Promise<Stored> {
    const reply = await this.#run('Loading', keys, loadScript, [])
    if (!Array.isArray(reply) || reply.length === 0) return { ...NOTHING, removed: !Array.isArray(reply) }
    const [name, head, base, snapshot, entries, archived, spent] = asList(reply)
    this.#names.assure(keys.name)
    if (!Buffer.isBuffer(name) || name.toString('utf8') !== keys.name)
      throw foreign(keys, 'another document has the same keys')
    return {
      base: asOptionalText(base),
      snapshot: Buffer.isBuffer(snapshot) ? readSnapshot(keys, snapshot) : null,
      tail: asList(entries).map(readEntry),
      head: asText(head),
      damaged: false,
      archived: asWords(archived),
      spent: asWords(spent),
      removed: false,
    }
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
    const reply = await this.#run('Reading', keys, followScript, [after ?? ''])
    if (reply === null) return 'lost'
    const [more, ...fields] = asList(reply)
    const entries: Entry[] = []
    for (let index = 0; index + 2 < fields.length; index += 3) {
      const cursor = cursorOf(asText(fields[index]), asText(fields[index + 1]))
      entries.push({ cursor, update: ownBytes(fields[index + 2]) })
    }
    return { entries, more: asText(more) === '1' }
  }

  /** Names the next append; see `redisCursor.ts`. */
  nextAppend(): string {
    return `${this.#node}.${(this.#appends++).toString(36)}`
  }

  /** Null when the document does not exist: nothing was done. */
  async append(keys: DocumentKeys, { name, update, known, listens }: Append): Promise<Appended | null> {
    const args = [keys.channel, name, asBuffer(update), known ?? '', '', '0', listens ? '1' : '0']
    const reply = await this.#write('Appending', keys, appendScript, args)
    return reply === null ? null : readAppended(reply)
  }

  /** The same, for a document that may not exist yet. */
  async create(keys: DocumentKeys, { name, update, known }: Append): Promise<Appended> {
    const args = [keys.channel, name, asBuffer(update), known ?? '', keys.name, '1', '0']
    // In this order no document exists without its name in the list; once more, since a removal may have passed between.
    await this.#names.add(keys.name)
    const reply = await this.#write('Appending', keys, appendScript, args)
    await this.#names.add(keys.name)
    return readAppended(reply)
  }

  async compact(keys: DocumentKeys, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    if (parsePlace(upTo) === null) return false
    const args = [base ?? '', upTo, encodeSnapshot(snapshot)]
    return (await this.#write('Compacting', keys, compactScript, args)) === 1
  }

  /** True when nothing has touched the document for so many seconds, nobody follows it, and Redis holds more than its name. */
  async isCold(keys: DocumentKeys, seconds: number): Promise<boolean> {
    return (await this.#run('Looking at', keys, coldScript, [keys.channel, String(seconds)])) === 1
  }

  /**
   * Leaves only the reference of what is in the archive. False, and nothing changed, when the document has been used since
   * it was loaded.
   *
   * @param stored as loaded
   */
  async retire(keys: DocumentKeys, stored: Stored, reference: ArchiveReference): Promise<boolean> {
    const args = [keys.channel, stored.head ?? '', reference, stored.spent.join(' ')]
    return (await this.#write('Archiving', keys, retireScript, args)) === 1
  }

  /** These spent parts are not in the archive any more. */
  async forget(keys: DocumentKeys, spent: readonly ArchiveReference[]): Promise<void> {
    await this.#write('Archiving', keys, forgetScript, [spent.join(' ')])
  }

  /**
   * Names other parts as the document's. Nothing is changed when others are named by now.
   *
   * @param references all that the archive has: spent ones that are still there are among them
   */
  async rename(
    keys: DocumentKeys,
    named: readonly ArchiveReference[],
    references: readonly ArchiveReference[],
  ): Promise<void> {
    await this.#write('Restoring', keys, renameScript, [named.join(' '), references.join(' ')])
  }

  /** Makes a document known that only the archive has. */
  async adopt(keys: DocumentKeys, references: readonly ArchiveReference[]): Promise<void> {
    await this.#names.add(keys.name)
    await this.#write('Adopting', keys, adoptScript, [keys.name, references.join(' '), this.nextAppend()])
  }

  /** @param rememberedMs how long `load` shall say that it was removed */
  async remove(keys: DocumentKeys, rememberedMs: number): Promise<void> {
    await this.#write('Removing', keys, removeScript, [keys.channel, LOOK_MESSAGE, String(rememberedMs)])
    await this.#names.remove(keys)
  }

  /** Does not wait, and is silent when it fails or when too much is waiting already: best effort. */
  say(keys: DocumentKeys, said: Buffer): void {
    if ((this.#shards.of(keys.slot)?.commands?.owed ?? Infinity) > MAX_OWED) return
    this.#shards.send(keys.slot, ['SPUBLISH', keys.channel, said]).catch(() => undefined)
  }

  async #write(action: string, keys: DocumentKeys, script: Script, args: readonly Argument[]): Promise<Reply> {
    const shard = this.#shards.of(keys.slot)
    try {
      const reply = await this.#run(action, keys, script, args)
      // Nil: the script refused before it wrote anything.
      if (reply !== null) shard?.succeeded()
      return reply
    } catch (thrown) {
      const error = toError(thrown)
      shard?.failed(toError(error.cause ?? error), keys.probe)
      throw error
    }
  }

  async #run(action: string, keys: DocumentKeys, script: Script, args: readonly Argument[]): Promise<Reply> {
    const rest = ['2', keys.log, keys.meta, ...args]
    try {
      return await this.#shards.send(keys.slot, ['EVALSHA', script.hash, ...rest])
    } catch (thrown) {
      const error = toError(thrown)
      if (replyCode(error) !== 'NOSCRIPT') throw asStorageError(`${action} ${JSON.stringify(keys.name)}`, error)
    }
    // A server that has just taken over, or was told to forget its scripts. This makes it remember.
    return this.#shards.send(keys.slot, ['EVAL', script.source, ...rest]).catch((error: unknown) => {
      throw asStorageError(`${action} ${JSON.stringify(keys.name)}`, error)
    })
  }
}

function readAppended(reply: Reply): Appended {
  const [cursor, previous] = asList(reply)
  return { cursor: asText(cursor), previous: asOptionalText(previous) }
}

/** As XRANGE has it: id, then field, value, field, value. */
function readEntry(reply: Reply): Entry {
  const [id, fields] = asList(reply)
  const [, append, , update] = asList(fields)
  return { cursor: cursorOf(asText(id), asText(append)), update: ownBytes(update) }
}

function readSnapshot(keys: DocumentKeys, bytes: Buffer): Snapshot {
  const snapshot = decodeSnapshot(bytes)
  if (snapshot === null) throw foreign(keys, 'its snapshot was not written by this version')
  return snapshot
}

function foreign(keys: DocumentKeys, why: string): StorageError {
  return new StorageError('STORAGE_FOREIGN', `${JSON.stringify(keys.name)} cannot be read: ${why}.`)
}

/** A copy: what the client gives is a part of what the socket has read, and would keep all of that alive. */
function ownBytes(reply: Reply | undefined): Uint8Array {
  return Buffer.isBuffer(reply) ? new Uint8Array(reply) : new Uint8Array(0)
}

function asList(reply: Reply | undefined): readonly Reply[] {
  return Array.isArray(reply) ? (reply as readonly Reply[]) : []
}

function asText(reply: Reply | undefined): string {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : String(reply ?? '')
}

function asWords(reply: Reply | undefined): readonly string[] {
  return asText(reply)
    .split(' ')
    .filter((word) => word !== '')
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function asOptionalText(reply: Reply | undefined): string | null {
  const text = asText(reply)
  return text === '' ? null : text
}
