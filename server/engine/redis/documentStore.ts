import type { ArchiveReference } from '../archive/archive.ts'
import type { Clock } from '../../clock.ts'
import type { Cursor, Entry, Snapshot } from '../engine.ts'
import type { Reply } from './connection.ts'
import { DocumentReader, type Followed, type Stored } from './documentReader.ts'
import type { DocumentKeys } from './keys.ts'
import { LOOK_MESSAGE } from './message.ts'
import type { NameIndex } from './nameIndex.ts'
import { parsePlace } from './redisCursor.ts'
import { asList, asOptionalText, asText } from './replies.ts'
import { ScriptCalls } from './scriptCalls.ts'
import {
  adoptScript,
  appendScript,
  coldScript,
  compactScript,
  forgetScript,
  holdScript,
  removeScript,
  renameScript,
  retireScript,
} from './scripts.ts'
import type { Shards } from './shards.ts'
import { encodeSnapshot } from './snapshotCodec.ts'

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

/** Commands without an answer beyond which nothing is said any more: only a server that hangs owes that much. */
const MAX_OWED = 10_000

/** Milliseconds within which a node that holds what Redis has lost puts it back, or has died meanwhile. */
export const HOLD_MS = 10_000

export interface DocumentStoreOptions {
  readonly shards: Shards
  readonly names: NameIndex
  readonly node: string
  readonly clock: Clock
}

/** The logs in Redis: what changes them here, what reads them in `documentReader.ts`. */
export class DocumentStore {
  readonly #shards: Shards
  readonly #calls: ScriptCalls
  readonly #reader: DocumentReader
  readonly #names: NameIndex
  readonly #node: string
  #appends = 0

  constructor({ shards, names, node, clock }: DocumentStoreOptions) {
    this.#shards = shards
    this.#calls = new ScriptCalls(shards)
    this.#reader = new DocumentReader({ calls: this.#calls, shards, names, clock })
    this.#names = names
    this.#node = node
  }

  /** @param isHolder this node has the document, and the log may not: nobody else is asked or waited for */
  load(keys: DocumentKeys, isHolder = false): Promise<Stored> {
    return this.#reader.load(keys, isHolder)
  }

  /** 'trimmed' when the entry at `after` is not in the log any more, or not that entry. */
  tail(keys: DocumentKeys, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    return this.#reader.tail(keys, after)
  }

  follow(keys: DocumentKeys, after: Cursor | null): Promise<Followed | 'lost'> {
    return this.#reader.follow(keys, after)
  }

  /** Names the next append; see `redisCursor.ts`. */
  nextAppend(): string {
    return `${this.#node}.${(this.#appends++).toString(36)}`
  }

  /** Null when the document does not exist: nothing was done. */
  async append(keys: DocumentKeys, { name, update, known, listens }: Append): Promise<Appended | null> {
    const args = [keys.channel, name, asBuffer(update), known ?? '', '', '0', listens ? '1' : '0']
    const reply = await this.#calls.write('Appending', keys, appendScript, args)
    return reply === null ? null : readAppended(reply)
  }

  /** The same, for a document that may not exist yet. */
  async create(keys: DocumentKeys, { name, update, known }: Append): Promise<Appended> {
    const args = [keys.channel, name, asBuffer(update), known ?? '', keys.name, '1', '0']
    // In this order no document exists without its name in the list; once more, since a removal may have passed between.
    await this.#names.add(keys.name)
    const reply = await this.#calls.write('Appending', keys, appendScript, args)
    await this.#names.add(keys.name)
    return readAppended(reply)
  }

  async compact(keys: DocumentKeys, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    if (parsePlace(upTo) === null) return false
    const args = [base ?? '', upTo, encodeSnapshot(snapshot)]
    return (await this.#calls.write('Compacting', keys, compactScript, args)) === 1
  }

  /** True when nothing has touched the document for so many seconds, nobody follows it, and Redis holds more than its name. */
  async isCold(keys: DocumentKeys, seconds: number): Promise<boolean> {
    return (await this.#calls.run('Looking at', keys, coldScript, [keys.channel, String(seconds)])) === 1
  }

  /**
   * Leaves only the reference of what is in the archive. False, and nothing changed, when the document has been used since
   * it was loaded.
   *
   * @param stored as loaded
   */
  async retire(keys: DocumentKeys, stored: Stored, reference: ArchiveReference): Promise<boolean> {
    const args = [keys.channel, stored.head ?? '', reference, stored.spent.join(' ')]
    return (await this.#calls.write('Archiving', keys, retireScript, args)) === 1
  }

  /** These spent parts are not in the archive any more. */
  async forget(keys: DocumentKeys, spent: readonly ArchiveReference[]): Promise<void> {
    await this.#calls.write('Archiving', keys, forgetScript, [spent.join(' ')])
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
    await this.#calls.write('Restoring', keys, renameScript, [named.join(' '), references.join(' ')])
  }

  /** Makes a document known that only the archive has. */
  async adopt(keys: DocumentKeys, references: readonly ArchiveReference[]): Promise<void> {
    await this.#names.add(keys.name)
    await this.#calls.write('Adopting', keys, adoptScript, [keys.name, references.join(' '), this.nextAppend()])
  }

  /** @param rememberedMs how long `load` shall say that it was removed */
  async remove(keys: DocumentKeys, rememberedMs: number): Promise<void> {
    await this.#calls.write('Removing', keys, removeScript, [keys.channel, LOOK_MESSAGE, String(rememberedMs)])
    await this.#names.remove(keys)
  }

  /** Lets whoever asks for the document wait until this node has put back what it has of it. Best effort. */
  hold(keys: DocumentKeys): void {
    this.#calls.run('Holding', keys, holdScript, [String(HOLD_MS)]).catch(() => undefined)
  }

  /** Does not wait, and is silent when it fails or when too much is waiting already: best effort. */
  say(keys: DocumentKeys, said: Buffer): void {
    if ((this.#shards.of(keys.slot)?.commands?.owed ?? Infinity) > MAX_OWED) return
    this.#shards.send(keys.slot, ['SPUBLISH', keys.channel, said]).catch(() => undefined)
  }
}

function readAppended(reply: Reply): Appended {
  const [cursor, previous] = asList(reply)
  return { cursor: asText(cursor), previous: asOptionalText(previous) }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
