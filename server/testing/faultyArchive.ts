import { StorageError } from '../../shared/errors.ts'
import type { Archive, ArchiveReference } from '../engine/archive/archive.ts'
import type { EngineHealth, ListQuery, Snapshot } from '../engine/engine.ts'
import type { FaultTiming } from './faultyEngine.ts'

export type ArchiveOperation = 'put' | 'list' | 'get' | 'drop' | 'names'

/** Wraps an archive and fails or holds operations on command. Nothing is random: a test decides what happens when. */
export class FaultyArchive implements Archive {
  readonly #inner: Archive
  readonly #faults = new Map<ArchiveOperation, FaultTiming[]>()
  readonly #gates = new Map<ArchiveOperation, Promise<void>>()
  readonly #calls = new Map<ArchiveOperation, number>()

  constructor(inner: Archive) {
    this.#inner = inner
  }

  /** The next `count` calls of `operation` reject with STORAGE_UNAVAILABLE. Adds to what was asked for before. */
  fail(operation: ArchiveOperation, count = 1, timing: FaultTiming = 'before'): void {
    const faults = this.#faults.get(operation) ?? []
    this.#faults.set(operation, [...faults, ...Array<FaultTiming>(count).fill(timing)])
  }

  /** Forgets the failures of `operation` that have not happened yet. */
  heal(operation: ArchiveOperation): void {
    this.#faults.delete(operation)
  }

  /** Calls of `operation` hang, before they do anything, until the returned function is called. */
  hold(operation: ArchiveOperation): () => void {
    let open = (): void => undefined
    this.#gates.set(operation, new Promise<void>((resolve) => (open = resolve)))
    return () => {
      this.#gates.delete(operation)
      open()
    }
  }

  /** How often `operation` was called. */
  calls(operation: ArchiveOperation): number {
    return this.#calls.get(operation) ?? 0
  }

  put(document: string, part: Snapshot): Promise<ArchiveReference> {
    return this.#run('put', () => this.#inner.put(document, part))
  }

  list(document: string): Promise<readonly ArchiveReference[]> {
    return this.#run('list', () => this.#inner.list(document))
  }

  get(document: string, reference: ArchiveReference): Promise<Snapshot> {
    return this.#run('get', () => this.#inner.get(document, reference))
  }

  drop(document: string, references: readonly ArchiveReference[]): Promise<void> {
    return this.#run('drop', () => this.#inner.drop(document, references))
  }

  names(query: ListQuery): Promise<readonly string[]> {
    return this.#run('names', () => this.#inner.names(query))
  }

  health(): EngineHealth {
    return this.#inner.health()
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #run<T>(operation: ArchiveOperation, work: () => Promise<T>): Promise<T> {
    this.#calls.set(operation, this.calls(operation) + 1)
    const fault = this.#faults.get(operation)?.shift()
    const gate = this.#gates.get(operation)
    // Without a gate the inner call must begin in this very turn, as it would without the wrapper.
    if (gate !== undefined) await gate
    if (fault === undefined) return work()
    if (fault === 'after') await work()
    throw new StorageError('STORAGE_UNAVAILABLE', `${operation} failed ${fault} it was done (injected)`)
  }
}
