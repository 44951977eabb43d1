import { StorageError } from '../../shared/errors.ts'
import type {
  Cursor,
  Durability,
  Engine,
  EngineHealth,
  Entry,
  ListQuery,
  Loaded,
  Sink,
  Snapshot,
  Subscription,
} from '../engine/engine.ts'

export type Operation = 'load' | 'tail' | 'append' | 'compact' | 'remove' | 'list'

/**
 * `before`: rejects and nothing was done. `after`: rejects although it was done, so that the caller cannot know.
 */
export type FaultTiming = 'before' | 'after'

interface Gate {
  readonly opened: Promise<void>
  readonly open: () => void
}

/** Wraps an engine and fails or holds operations on command. Nothing is random: a test decides what happens when. */
export class FaultyEngine implements Engine {
  readonly #inner: Engine
  readonly #faults = new Map<Operation, FaultTiming[]>()
  readonly #gates = new Map<Operation, Gate>()
  readonly #calls = new Map<Operation, number>()
  #failing: StorageError | null = null

  constructor(inner: Engine) {
    this.#inner = inner
  }

  /** The next `count` calls of `operation` reject with STORAGE_UNAVAILABLE. Adds to what was asked for before. */
  fail(operation: Operation, count = 1, timing: FaultTiming = 'before'): void {
    const faults = this.#faults.get(operation) ?? []
    for (let index = 0; index < count; index++) faults.push(timing)
    this.#faults.set(operation, faults)
  }

  /** Forgets the failures of `operation` that have not happened yet. */
  heal(operation: Operation): void {
    this.#faults.delete(operation)
  }

  /** Calls of `operation` hang, before they do anything, until the returned function is called. */
  hold(operation: Operation): () => void {
    this.#gates.get(operation)?.open()
    let open = (): void => undefined
    const opened = new Promise<void>((resolve) => (open = resolve))
    const gate = { opened, open }
    this.#gates.set(operation, gate)
    return () => {
      if (this.#gates.get(operation) === gate) this.#gates.delete(operation)
      open()
    }
  }

  /** How often `operation` was called. */
  calls(operation: Operation): number {
    return this.#calls.get(operation) ?? 0
  }

  load(document: string): Promise<Loaded> {
    return this.#run('load', () => this.#inner.load(document))
  }

  tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    return this.#run('tail', () => this.#inner.tail(document, after))
  }

  append(document: string, update: Uint8Array): Promise<Cursor> {
    return this.#run('append', () => this.#inner.append(document, update))
  }

  compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    return this.#run('compact', () => this.#inner.compact(document, base, upTo, snapshot))
  }

  get node(): string {
    return this.#inner.node
  }

  get durability(): Durability {
    return this.#inner.durability
  }

  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription {
    return this.#inner.subscribe(document, after, sink)
  }

  publish(document: string, kind: string, bytes: Uint8Array): void {
    this.#inner.publish(document, kind, bytes)
  }

  remove(document: string): Promise<void> {
    return this.#run('remove', () => this.#inner.remove(document))
  }

  list(query: ListQuery): Promise<readonly string[]> {
    return this.#run('list', () => this.#inner.list(query))
  }

  /** Failing from the first injected failure until the next success. */
  health(): EngineHealth {
    return this.#failing === null ? this.#inner.health() : { state: 'failing', error: this.#failing, since: 0 }
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #run<T>(operation: Operation, work: () => Promise<T>): Promise<T> {
    this.#calls.set(operation, this.calls(operation) + 1)
    const fault = this.#faults.get(operation)?.shift()
    const gate = this.#gates.get(operation)
    // Without a gate the inner call must begin in this very turn, as it would without the wrapper.
    if (gate !== undefined) await gate.opened
    if (fault === undefined) {
      const result = await work()
      this.#failing = null
      return result
    }
    if (fault === 'after') await work()
    this.#failing = new StorageError('STORAGE_UNAVAILABLE', `${operation} failed ${fault} it was done (injected)`)
    throw this.#failing
  }
}
