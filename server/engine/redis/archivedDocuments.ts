import { StorageError } from '../../../shared/errors.ts'
import type { Archive, ArchiveReference } from '../archive/archive.ts'
import { isNewer } from '../archive/part.ts'
import type { ListQuery, Loaded, Snapshot } from '../engine.ts'
import { asLoaded, type Documents } from './documents.ts'
import type { Stored } from './documentReader.ts'
import type { Append, Appended, DocumentStore } from './documentStore.ts'
import type { DocumentKeys } from './keys.ts'
import type { NameIndex } from './nameIndex.ts'

/** Makes one document of several parts of it, in any order. Must not lose what it cannot connect. */
export type Merge = (updates: readonly Uint8Array[]) => Snapshot

export interface ArchivedDocumentsOptions {
  readonly store: DocumentStore
  readonly names: NameIndex
  readonly archive: Archive
  readonly merge: Merge
}

/** Loads of a document that goes to the archive, comes back and goes again while it is being read. */
const MAX_ATTEMPTS = 5
/** Milliseconds a removal from the archive may take; if it fails, the document comes back after them, and so it is said. */
const REMOVAL_MS = 60_000

/**
 * Documents in Redis, and in an archive those that nobody has used for long: Redis keeps of them a reference. A part of
 * the archive goes through three states:
 *
 *     archived  named by `meta.archive`: the document is this part and the log after it
 *     spent     named by `meta.spent`: a later snapshot or part contains it. Not dropped yet, because a Redis that writes
 *               its file every second may come back as it was before
 *     dropped   when the document has gone to the archive the next time: from then on there is a part that contains it,
 *               or one that contains that one, and so on
 *
 * What the archive keeps of a document that Redis does not know is that document: Redis has lost it. And what it keeps
 * instead of a part that Redis names contains that part, if it is newer: Redis has come back as it was long before.
 */
export class ArchivedDocuments implements Documents {
  readonly #store: DocumentStore
  readonly #names: NameIndex
  readonly #archive: Archive
  readonly #merge: Merge

  constructor({ store, names, archive, merge }: ArchivedDocumentsOptions) {
    this.#store = store
    this.#names = names
    this.#archive = archive
    this.#merge = merge
  }

  async load(keys: DocumentKeys, isHolder: boolean): Promise<Loaded> {
    return asLoaded(await this.#loadWhole(keys, isHolder))
  }

  async append(keys: DocumentKeys, append: Append): Promise<Appended> {
    const appended = await this.#store.append(keys, append)
    if (appended !== null) return appended
    await this.#adopt(keys)
    return this.#store.create(keys, append)
  }

  async remove(keys: DocumentKeys): Promise<void> {
    const references = await this.#archive.list(keys.name)
    await this.#store.remove(keys, REMOVAL_MS)
    if (references.length > 0) await this.#archive.drop(keys.name, references)
  }

  /** Both are ordered by UTF-8 bytes, and a document may be in both. */
  async list(query: ListQuery): Promise<readonly string[]> {
    const [names, archived] = await Promise.all([this.#names.list(query), this.#archive.names(query)])
    const encoded = [...new Set([...names, ...archived])].map((name) => Buffer.from(name))
    const sorted = encoded.sort((left, right) => Buffer.compare(left, right))
    return sorted.slice(0, query.limit).map((name) => name.toString('utf8'))
  }

  close(): Promise<void> {
    return this.#archive.close()
  }

  /**
   * Moves a document to the archive. False when it has been used meanwhile: nothing was changed then, and the part that was
   * made is dropped again.
   */
  async archive(keys: DocumentKeys): Promise<boolean> {
    const stored = await this.#loadWhole(keys)
    if (stored.head === null) return false
    const updates = stored.tail.map(({ update }) => update)
    const whole = stored.snapshot === null ? updates : [stored.snapshot.state, ...updates]
    const part = stored.snapshot !== null && updates.length === 0 ? stored.snapshot : this.#merge(whole)
    const reference = await this.#archive.put(keys.name, part)
    if (await this.#store.retire(keys, stored, reference)) {
      await this.#dropSpent(keys, stored.spent)
      return true
    }
    await this.#archive.drop(keys.name, [reference])
    return false
  }

  /** If it fails, their names are still known the next time. */
  async #dropSpent(keys: DocumentKeys, spent: readonly ArchiveReference[]): Promise<void> {
    if (spent.length === 0) return
    await this.#archive.drop(keys.name, spent)
    await this.#store.forget(keys, spent)
  }

  /** With the parts that are in the archive as its snapshot. */
  async #loadWhole(keys: DocumentKeys, isHolder = false): Promise<Stored> {
    for (let attempt = 1; ; attempt++) {
      const stored = await this.#store.load(keys, isHolder)
      if (stored.head === null && !stored.removed && (await this.#adopt(keys))) continue
      if (stored.archived.length === 0) return stored
      try {
        return { ...stored, snapshot: await this.#fetch(keys, stored) }
      } catch (error) {
        // A part that is not there any more may have been replaced by another since Redis was asked.
        if (attempt >= MAX_ATTEMPTS || !isDamaged(error)) throw error
        const { archived } = await this.#store.load(keys)
        const isUnchanged = archived.join(' ') === stored.archived.join(' ')
        if (isUnchanged && !(await this.#nameWhatIsThere(keys, archived))) throw error
      }
    }
  }

  /**
   * When parts that Redis names are not in the archive, but newer ones are: all that is there is the document from now on.
   * Never for what is there and damaged, nor when all that is left is older: the archive itself may have been restored.
   */
  async #nameWhatIsThere(keys: DocumentKeys, named: readonly ArchiveReference[]): Promise<boolean> {
    const there = await this.#archive.list(keys.name)
    const missing = named.filter((reference) => !there.includes(reference))
    const isContained = (lost: ArchiveReference): boolean => there.some((reference) => isNewer(reference, lost))
    if (missing.length === 0 || !missing.every(isContained)) return false
    await this.#store.rename(keys, named, there)
    return true
  }

  async #fetch(keys: DocumentKeys, { archived, snapshot }: Stored): Promise<Snapshot> {
    const fetched = await Promise.all(archived.map((reference) => this.#archive.get(keys.name, reference)))
    const parts = snapshot === null ? fetched : [...fetched, snapshot]
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : this.#merge(parts.map(({ state }) => state))
  }

  /** True when the archive had a document that Redis did not know: it does now. */
  async #adopt(keys: DocumentKeys): Promise<boolean> {
    const references: readonly ArchiveReference[] = await this.#archive.list(keys.name)
    if (references.length === 0) return false
    await this.#store.adopt(keys, references)
    return true
  }
}

function isDamaged(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'ARCHIVE_DAMAGED'
}
