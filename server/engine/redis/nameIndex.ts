import type { ListQuery } from '../engine.ts'
import type { Reply } from './connection.ts'
import { toError } from '../../../shared/errors.ts'
import { asStorageError } from './errors.ts'
import type { DocumentKeys, KeySpace } from './keys.ts'
import type { Shards } from './shards.ts'

/** Names asked for at once, so that a long list is not one long answer. */
const NAMES_PER_READ = 1_000
/** Names remembered as being in the list. */
const MAX_ASSURED = 20_000

/**
 * The list of documents: a superset of those that exist, because a name is put there before its document is written, on
 * what may be another shard. So whoever lists asks each document whether it is there.
 */
export class NameIndex {
  readonly #shards: Shards
  readonly #keySpace: KeySpace
  /** Found to exist by this process. */
  readonly #assured = new Set<string>()

  constructor(shards: Shards, keySpace: KeySpace) {
    this.#shards = shards
    this.#keySpace = keySpace
  }

  async add(name: string): Promise<void> {
    const { names, namesSlot } = this.#keySpace
    const shard = this.#shards.of(namesSlot)
    try {
      await this.#shards.send(namesSlot, ['ZADD', names, '0', name])
      shard?.succeeded()
    } catch (error) {
      shard?.failed(toError(error), this.#keySpace.of(name).probe)
      throw asStorageError(`Listing ${JSON.stringify(name)}`, error)
    }
  }

  /**
   * For a document that has been found to exist. The list may be on another shard than it, and may have lost the last
   * seconds by itself: opening a document brings its name back. Best effort.
   */
  assure(name: string): void {
    if (this.#assured.has(name)) return
    if (this.#assured.size >= MAX_ASSURED) this.#assured.clear()
    this.#assured.add(name)
    this.add(name).catch(() => this.#assured.delete(name))
  }

  /** For a document that has just been removed; it may have been written again meanwhile. */
  async remove(keys: DocumentKeys): Promise<void> {
    this.#assured.delete(keys.name)
    await this.#send(['ZREM', this.#keySpace.names, keys.name])
    if (await this.#exists(keys)) await this.add(keys.name)
  }

  /** Ordered by UTF-8 bytes. */
  async list({ prefix = '', after, limit }: ListQuery): Promise<readonly string[]> {
    const names: string[] = []
    let last = after
    while (names.length < limit) {
      const page = await this.page({ prefix, limit: NAMES_PER_READ, ...(last === undefined ? {} : { after: last }) })
      const present = await Promise.all(page.map((name) => this.#exists(this.#keySpace.of(name))))
      names.push(...page.filter((_, index) => present[index]))
      last = page.at(-1)
      if (page.length < NAMES_PER_READ) break
    }
    return names.slice(0, limit)
  }

  /** As they are in the list: a name may stand for a document that is not there (any more). */
  async page({ prefix = '', after, limit }: ListQuery): Promise<readonly string[]> {
    const isAfter = after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0
    const from = isAfter ? `(${after}` : `[${prefix}`
    // No byte of UTF-8 is 0xff.
    const to = prefix === '' ? '+' : Buffer.concat([Buffer.from(`(${prefix}`), Buffer.of(0xff)])
    const limits = ['LIMIT', '0', String(limit)]
    const reply = await this.#send(['ZRANGE', this.#keySpace.names, from, to, 'BYLEX', ...limits])
    return Array.isArray(reply) ? (reply as readonly Buffer[]).map((name) => name.toString('utf8')) : []
  }

  async #exists(keys: DocumentKeys): Promise<boolean> {
    try {
      return (await this.#shards.send(keys.slot, ['HEXISTS', keys.meta, 'head'])) === 1
    } catch (error) {
      throw asStorageError(`Looking for ${JSON.stringify(keys.name)}`, error)
    }
  }

  async #send(args: readonly (string | Buffer)[]): Promise<Reply> {
    try {
      return await this.#shards.send(this.#keySpace.namesSlot, args)
    } catch (error) {
      throw asStorageError('Using the list of documents', error)
    }
  }
}
