import { StorageError } from '../../../shared/errors.ts'
import type { EngineHealth, ListQuery, Snapshot } from '../engine.ts'
import type { Archive, ArchiveReference } from './archive.ts'
import { damaged, decodePart, encodePart, newReference } from './part.ts'
import { selectNames } from './selectNames.ts'

/** What several memory archives share, as several nodes share one database: by name and reference, oldest first. */
export type MemoryArchiveStore = Map<string, Map<ArchiveReference, Buffer>>

/** Keeps parts in the process: nothing survives it. For tests. Copies what it is given and what it gives. */
export class MemoryArchive implements Archive {
  readonly #store: MemoryArchiveStore
  #closed = false

  /** @param store default: one that nobody else uses */
  constructor(store: MemoryArchiveStore = new Map()) {
    this.#store = store
  }

  async put(document: string, part: Snapshot): Promise<ArchiveReference> {
    this.#requireOpen()
    const reference = newReference()
    const parts = this.#store.get(document) ?? new Map<ArchiveReference, Buffer>()
    parts.set(reference, encodePart(document, reference, part))
    this.#store.set(document, parts)
    return reference
  }

  async list(document: string): Promise<readonly ArchiveReference[]> {
    this.#requireOpen()
    return [...(this.#store.get(document)?.keys() ?? [])]
  }

  async get(document: string, reference: ArchiveReference): Promise<Snapshot> {
    this.#requireOpen()
    const bytes = this.#store.get(document)?.get(reference)
    if (bytes === undefined) throw damaged(document, reference, 'it is not there')
    return decodePart(document, reference, Buffer.from(bytes))
  }

  async drop(document: string, references: readonly ArchiveReference[]): Promise<void> {
    this.#requireOpen()
    const parts = this.#store.get(document)
    for (const reference of references) parts?.delete(reference)
    if (parts?.size === 0) this.#store.delete(document)
  }

  async names(query: ListQuery): Promise<readonly string[]> {
    this.#requireOpen()
    return selectNames(this.#store.keys(), query)
  }

  health(): EngineHealth {
    return { state: 'ok' }
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #requireOpen(): void {
    if (this.#closed) throw new StorageError('STORAGE_CLOSED', 'The archive is closed.')
  }
}
