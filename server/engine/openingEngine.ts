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
} from './engine.ts'

import { StorageError } from '../../shared/errors.ts'

/**
 * Stands for an engine that is still being opened, so that a server can be composed, and attached to somebody's HTTP
 * server, before its storage is ready: every call waits for it. When opening fails, every call fails the same way.
 */
export class OpeningEngine implements Engine {
  readonly #opening: Promise<Engine>
  #engine: Engine | null = null

  constructor(opening: Promise<Engine>) {
    this.#opening = opening
    opening.then(
      (engine) => {
        this.#engine = engine
      },
      () => {
        // Reported by `ready`, and by every call.
      },
    )
  }

  get node(): string {
    return this.#opened().node
  }

  get durability(): Durability {
    return this.#opened().durability
  }

  get isOpen(): boolean {
    return this.#engine !== null
  }

  /** @throws StorageError when the storage could not be opened */
  async ready(): Promise<void> {
    await this.#opening
  }

  async load(document: string): Promise<Loaded> {
    return (await this.#opening).load(document)
  }

  async tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    return (await this.#opening).tail(document, after)
  }

  append(document: string, update: Uint8Array): Promise<Cursor> {
    // The hot path: no extra turn once the engine is there.
    return this.#engine?.append(document, update) ?? this.#opening.then((engine) => engine.append(document, update))
  }

  async compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    return (await this.#opening).compact(document, base, upTo, snapshot)
  }

  /** Whoever subscribes has loaded the document. */
  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription {
    return this.#opened().subscribe(document, after, sink)
  }

  publish(document: string, kind: string, bytes: Uint8Array): void {
    this.#engine?.publish(document, kind, bytes)
  }

  async remove(document: string): Promise<void> {
    return (await this.#opening).remove(document)
  }

  async list(query: ListQuery): Promise<readonly string[]> {
    return (await this.#opening).list(query)
  }

  #opened(): Engine {
    if (this.#engine === null) throw new StorageError('STORAGE_UNAVAILABLE', 'The storage is not open yet.')
    return this.#engine
  }

  health(): EngineHealth {
    return this.#engine?.health() ?? { state: 'ok' }
  }

  async close(): Promise<void> {
    await this.#opening.then(
      (engine) => engine.close(),
      () => {
        // Nothing was opened.
      },
    )
  }
}
