import { StorageError } from '../../../shared/errors.ts'
import type { ListQuery, Loaded } from '../engine.ts'
import type { Stored } from './documentReader.ts'
import type { Append, Appended, DocumentStore } from './documentStore.ts'
import type { DocumentKeys } from './keys.ts'
import type { NameIndex } from './nameIndex.ts'

/** Where whole documents are: in Redis alone, or in Redis and an archive. Everything else is in Redis. */
export interface Documents {
  /** @param isHolder see `DocumentStore.load` */
  load(keys: DocumentKeys, isHolder: boolean): Promise<Loaded>
  append(keys: DocumentKeys, append: Append): Promise<Appended>
  remove(keys: DocumentKeys): Promise<void>
  list(query: ListQuery): Promise<readonly string[]>
  close(): Promise<void>
}

/** What is seen above the engine. */
export function asLoaded({ base, snapshot, tail, head, damaged }: Stored): Loaded {
  return { base, snapshot, tail, head, damaged }
}

/** Without an archive. A document of which a part is in one is refused: somebody forgot to name the archive here. */
export class RedisDocuments implements Documents {
  readonly #store: DocumentStore
  readonly #names: NameIndex

  constructor(store: DocumentStore, names: NameIndex) {
    this.#store = store
    this.#names = names
  }

  async load(keys: DocumentKeys, isHolder: boolean): Promise<Loaded> {
    const stored = await this.#store.load(keys, isHolder)
    if (stored.archived.length === 0) return asLoaded(stored)
    const advice = 'start this node with --archive, as the one that put it there'
    throw new StorageError('STORAGE_UNAVAILABLE', `${JSON.stringify(keys.name)} is in an archive; ${advice}.`)
  }

  async append(keys: DocumentKeys, append: Append): Promise<Appended> {
    const appended = await this.#store.append(keys, append)
    return appended ?? this.#store.create(keys, append)
  }

  remove(keys: DocumentKeys): Promise<void> {
    return this.#store.remove(keys, 0)
  }

  list(query: ListQuery): Promise<readonly string[]> {
    return this.#names.list(query)
  }

  async close(): Promise<void> {
    // There is nothing beside Redis.
  }
}
