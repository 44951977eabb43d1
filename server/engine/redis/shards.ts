import { StorageError } from '../../../shared/errors.ts'
import type { EngineHealth } from '../engine.ts'
import type { Argument, Reply } from './connection.ts'
import type { Shard } from './shard.ts'

/** The masters behind one URL, and which of them keeps what. */
export interface Shards {
  readonly all: readonly Shard[]
  /** Null while nobody is known to serve the slot. */
  of(slot: number): Shard | null
  /** Sends to the master of the slot, wherever that is by now; rejects at once while it cannot be reached. */
  send(slot: number, args: readonly Argument[]): Promise<Reply>
  /** Failing when nothing can be stored. */
  health(): EngineHealth
  close(): void
}

/** One master: a server by itself, or the one that sentinels name. */
export class OneShard implements Shards {
  readonly all: readonly Shard[]
  readonly #shard: Shard
  readonly #onClose: () => void

  constructor(shard: Shard, onClose: () => void = () => undefined) {
    this.#shard = shard
    this.#onClose = onClose
    this.all = [shard]
  }

  of(): Shard {
    return this.#shard
  }

  send(_slot: number, args: readonly Argument[]): Promise<Reply> {
    return sendTo(this.#shard, args)
  }

  health(): EngineHealth {
    return this.#shard.health()
  }

  close(): void {
    this.#onClose()
    this.#shard.close()
  }
}

export function sendTo(shard: Shard | null, args: readonly Argument[]): Promise<Reply> {
  const connection = shard?.commands ?? null
  if (connection !== null) return connection.send(args)
  const health = shard?.health()
  const why = health?.state === 'failing' ? health.error.message : 'Redis is not connected'
  return Promise.reject(new StorageError('STORAGE_UNAVAILABLE', why))
}
