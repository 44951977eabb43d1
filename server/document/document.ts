import { CloseCode } from '../../shared/closeCodes.ts'
import { toError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { Clock } from '../clock.ts'
import type { Engine, Loaded } from '../engine/engine.ts'
import type { Observer } from '../observer.ts'
import { Pipeline } from './pipeline.ts'
import { Presence } from './presence.ts'
import { Session } from './session.ts'
import type { Room } from './session.ts'
import type { SessionOptions } from './sessionOptions.ts'

/** Milliseconds before a failed load is tried again; doubled each time. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2_000
/** Milliseconds a joiner waits for a load before it is told to come back (1013); the load itself goes on. */
const JOIN_TIMEOUT_MS = 10_000
/** Milliseconds an abandoned document is kept: a reloaded page is back sooner. */
const LINGER_MS = 1_000

/** An awareness update about nobody. */
const NOBODY = new Uint8Array([0])

type State =
  /** One load, or the wait before the next attempt, shared by all joiners. A failure never looks like "empty". */
  | { readonly name: 'loading'; cancelRetry: () => void; cancelDeadline: () => void }
  | { readonly name: 'open'; readonly pipeline: Pipeline }
  /** Nobody is here: waiting for latecomers, then for the last snapshot. */
  | { readonly name: 'leaving'; readonly pipeline: Pipeline; readonly cancel: () => void }
  | { readonly name: 'gone' }

export interface DocumentOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly observer: Observer
  readonly limits: Limits
}

/**
 * One document while somebody uses it, or is about to: its loading, its sessions, its presence, its end. Rules L1 to L5 of
 * SPEC.md.
 */
export class Document implements Room {
  readonly name: string
  readonly #options: DocumentOptions
  readonly #onGone: (document: Document) => void
  readonly #sessions = new Set<Session>()
  readonly #presence: Presence
  #state: State

  constructor(name: string, options: DocumentOptions, onGone: (document: Document) => void) {
    this.name = name
    this.#options = options
    this.#onGone = onGone
    this.#presence = new Presence(options.limits, () => this.#schedule())
    this.#state = { name: 'loading', cancelRetry: () => {}, cancelDeadline: this.#startDeadline() }
    this.#load(FIRST_RETRY_MS)
  }

  get sessionCount(): number {
    return this.#sessions.size
  }

  join(options: Pick<SessionOptions, 'link' | 'dialect' | 'budgets'>): Session {
    const { limits, clock, observer } = this.#options
    const session = new Session({ ...options, limits, clock, observer }, this.#presence, this)
    this.#sessions.add(session)
    this.#presence.join(session)
    if (this.#state.name === 'leaving') {
      this.#state.cancel()
      this.#state = { name: 'open', pipeline: this.#state.pipeline }
    }
    if (this.#state.name === 'open') session.open(this.#state.pipeline)
    return session
  }

  /** Closes every session here; their clients come back on their own. */
  disconnect(reason: string): void {
    for (const session of this.#sessions) session.close(CloseCode.disconnected, reason)
  }

  /** Everybody who is present, on all nodes, as an awareness update; null while it is not known. */
  everybody(): Uint8Array | null {
    return this.#state.name === 'open' ? (this.#presence.encodeAll() ?? NOBODY) : null
  }

  /** Drops stale collaborators. */
  sweep(now: number): void {
    this.#presence.sweep(now)
    if (this.#state.name === 'open') this.#state.pipeline.tick(now)
  }

  /** Resolves when everything accepted is durable. */
  settle(): Promise<void> {
    return this.#state.name === 'open' || this.#state.name === 'leaving'
      ? this.#state.pipeline.settle()
      : Promise.resolve()
  }

  /** The committed state as one Yjs V1 update; null while it is not loaded. */
  async read(): Promise<Uint8Array | null> {
    return this.#state.name === 'open' || this.#state.name === 'leaving' ? this.#state.pipeline.read() : null
  }

  #schedule(): void {
    if (this.#state.name === 'open') this.#state.pipeline.schedule()
  }

  #load(retryIn: number): void {
    const start = this.#options.clock.now()
    void this.#options.engine
      .load(this.name)
      .then((loaded) => this.#loaded(loaded, this.#options.clock.now() - start))
      .catch((error: unknown) => this.#loadFailed(toError(error), retryIn))
  }

  #loaded(loaded: Loaded, milliseconds: number): void {
    if (this.#state.name !== 'loading') return
    const { observer, ...rest } = this.#options
    const room = { participants: this.#sessions, presence: this.#presence }
    const pipeline = new Pipeline({ name: this.name, observer, ...rest, ...room }, loaded)
    this.#state.cancelDeadline()
    this.#state = { name: 'open', pipeline }
    observer.observe({ type: 'loaded', document: this.name, milliseconds, damaged: pipeline.content.damaged })
    for (const session of this.#sessions) session.open(pipeline)
    if (this.#sessions.size === 0) this.#linger(pipeline)
  }

  #startDeadline(): () => void {
    return this.#options.clock.after(JOIN_TIMEOUT_MS, () => {
      if (this.#state.name !== 'loading') return
      this.#state.cancelDeadline = this.#startDeadline()
      for (const session of this.#sessions) session.close(CloseCode.tryAgainLater, 'document cannot be loaded now')
    })
  }

  #loadFailed(error: Error, retryIn: number): void {
    if (this.#state.name !== 'loading') return
    const failed = { type: 'loadFailed', document: this.name, error } as const
    const isAwaited = this.#sessions.size > 0
    this.#options.observer.observe(isAwaited ? { ...failed, retryIn } : failed)
    if (!isAwaited) return this.#end(this.#state.cancelDeadline)
    this.#state.cancelRetry = this.#options.clock.after(retryIn, () => this.#load(Math.min(retryIn * 2, LAST_RETRY_MS)))
  }

  /** Called by the session itself. */
  leave(session: Session): void {
    this.#sessions.delete(session)
    this.#presence.leave(session, this.#options.clock.now())
    if (this.#state.name !== 'open') return
    this.#state.pipeline.leave(session)
    if (this.#sessions.size === 0) this.#linger(this.#state.pipeline)
  }

  #linger(pipeline: Pipeline): void {
    const cancel = this.#options.clock.after(LINGER_MS, () => void this.#retire(pipeline))
    this.#state = { name: 'leaving', pipeline, cancel }
  }

  /** Everything stored, a last snapshot taken; then gone, unless somebody has come back meanwhile. */
  async #retire(pipeline: Pipeline): Promise<void> {
    await pipeline.settle()
    if (this.#sessions.size > 0) return
    await pipeline.compact()
    if (this.#state.name !== 'leaving') return
    if (!pipeline.isSettled) return this.#linger(pipeline) // the thread to the other nodes was lost meanwhile
    this.#end(() => pipeline.destroy())
    this.#options.observer.observe({ type: 'unloaded', document: this.name })
  }

  /** Drops everything at once; what is not stored yet is not stored any more. For a server that is gone. */
  destroy(): void {
    const state = this.#state
    switch (state.name) {
      case 'loading':
        state.cancelRetry()
        return this.#end(state.cancelDeadline)
      case 'leaving':
        state.cancel()
        return this.#end(() => state.pipeline.destroy())
      case 'open':
        return this.#end(() => state.pipeline.destroy())
      case 'gone':
    }
  }

  #end(release: () => void): void {
    release()
    this.#state = { name: 'gone' }
    this.#onGone(this)
  }
}
