import { StorageError, toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { EngineHealth } from '../engine.ts'

export interface RemoteOptions {
  readonly clock: Clock
  /** Called on every change between working and not working. Must not throw. */
  readonly onHealth: (health: EngineHealth) => void
  /** Whether the same call may well succeed in a moment. */
  readonly isPassing: (thrown: unknown) => boolean
  /** What is wrong, in one sentence that says where, and never with which password. */
  readonly describe: (thrown: unknown) => string
}

/** Calls at once, those that wait for a connection included. Further ones are refused: they would only time out later. */
const MAX_ACTIVE = 4096
/** Milliseconds before each further attempt; at most half more is added, so that nodes do not come back in step. */
const RETRY_DELAYS_MS = [100, 1_000]
/** Milliseconds after which no further attempt begins: the caller has plans of its own for what takes longer. */
const RETRY_WITHIN_MS = 10_000

type State =
  | { readonly kind: 'open' }
  | { readonly kind: 'failing'; readonly error: StorageError; readonly since: number }
  | { readonly kind: 'closed'; readonly done: Promise<void>; readonly since: number }

/**
 * Calls to a service over the network. One that fails in passing is repeated, although nobody knows whether it was carried
 * out: only calls that may be carried out twice are made through it.
 */
export class Remote {
  readonly #options: RemoteOptions
  #state: State = { kind: 'open' }
  #active = 0
  #settled = (): void => undefined

  constructor(options: RemoteOptions) {
    this.#options = options
  }

  /**
   * @param call one attempt
   * @throws StorageError STORAGE_UNAVAILABLE with what the last attempt threw as its cause, or STORAGE_CLOSED
   */
  async run<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#state.kind === 'closed') throw closedError()
    this.#active += 1
    try {
      const result = await this.#attempt(call)
      this.#report(null)
      return result
    } catch (thrown) {
      const error = new StorageError('STORAGE_UNAVAILABLE', this.#options.describe(thrown), toError(thrown))
      this.#report(error)
      throw error
    } finally {
      this.#active -= 1
      if (this.#active === 0) this.#settled()
    }
  }

  health(): EngineHealth {
    const state = this.#state
    if (state.kind === 'open') return { state: 'ok' }
    const error = state.kind === 'failing' ? state.error : closedError()
    return { state: 'failing', error, since: state.since }
  }

  /** Idempotent. @param release what is done once every call has its answer */
  close(release: () => Promise<void>): Promise<void> {
    if (this.#state.kind === 'closed') return this.#state.done
    const done = this.#end(release)
    this.#state = { kind: 'closed', done, since: this.#options.clock.now() }
    return done
  }

  async #end(release: () => Promise<void>): Promise<void> {
    if (this.#active > 0) await new Promise<void>((resolve) => (this.#settled = resolve))
    await release()
  }

  async #attempt<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#active > MAX_ACTIVE) throw new Error('too many calls are waiting for it')
    const { clock, isPassing } = this.#options
    const begun = clock.now()
    for (const delay of RETRY_DELAYS_MS) {
      try {
        return await call()
      } catch (thrown) {
        if (!isPassing(thrown) || clock.now() - begun > RETRY_WITHIN_MS) throw thrown
      }
      const pause = delay * (1 + Math.random() / 2)
      await new Promise<void>((resolve) => void clock.after(pause, resolve))
    }
    return call()
  }

  #report(error: StorageError | null): void {
    const before = this.#state.kind
    if (before === 'closed') return
    if (error === null) this.#state = { kind: 'open' }
    else if (before === 'open') this.#state = { kind: 'failing', error, since: this.#options.clock.now() }
    if (before !== this.#state.kind) this.#options.onHealth(this.health())
  }
}

function closedError(): StorageError {
  return new StorageError('STORAGE_CLOSED', 'The archive is closed.')
}
