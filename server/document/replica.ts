import { toError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { Clock } from '../clock.ts'
import type { Cursor, Engine, Entry, Loaded, Message, Sink, Subscription } from '../engine/engine.ts'
import type { Observer } from '../observer.ts'
import { COMPACTED } from './compactor.ts'
import type { Presence } from './presence.ts'
import { PresenceExchange } from './presenceExchange.ts'

/** Milliseconds before a failed reading is tried again; doubled each time. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
/** Milliseconds after which losing the thread once more is not taken for the same trouble. */
const CALM_MS = 10_000

type State =
  | { readonly name: 'following'; readonly subscription: Subscription }
  /** What we hold and what the storage holds may differ, in either direction: the log is being read again. */
  | { readonly name: 'reading'; cancel: () => void }
  | { readonly name: 'read'; readonly loaded: Loaded }
  | { readonly name: 'ended' }

export interface ReplicaOptions {
  readonly name: string
  readonly engine: Engine
  readonly clock: Clock
  readonly observer: Observer
  readonly limits: Limits
  readonly presence: Presence
}

/** What a document does with what other nodes do. */
export interface Reader {
  /** There are entries, or a reading, to be taken between two commits. */
  schedule(): void
  /** Another node has made a snapshot of everything up to there. */
  compactedElsewhere(upTo: Cursor): void
}

/**
 * One node's copy of a document, as far as the other nodes' part in it goes: their entries wait here for the next beat,
 * and when the thread is lost the log is read again. Rules R1 to R5 of SPEC.md.
 */
export class Replica implements Sink {
  readonly #options: ReplicaOptions
  readonly #reader: Reader
  readonly #exchange: PresenceExchange
  #state: State
  #entries: Entry[] = []
  #bytes = 0
  /** `Clock.now()` when the thread was last lost, and the pause before reading that followed. */
  #lostAt = -Infinity
  #again = 0

  /** @param after `Loaded.head` of what the document begins with */
  constructor(options: ReplicaOptions, after: Cursor | null, reader: Reader) {
    this.#options = options
    this.#reader = reader
    const { name, engine } = options
    const publish = (kind: string, bytes: Uint8Array): void => engine.publish(name, kind, bytes)
    this.#exchange = new PresenceExchange({ ...options, node: engine.node, publish })
    this.#state = this.#follow(after)
  }

  /** False while memory may hold what the storage has lost: then the document must not be given up. */
  get isCurrent(): boolean {
    return this.#state.name === 'following' || this.#state.name === 'ended'
  }

  /** True when `takeEntries` or `takeReading` has something to give. */
  get hasNews(): boolean {
    return this.#entries.length > 0 || this.#state.name === 'read'
  }

  /** Up to here the document has everything, once it has taken what `takeEntries` gives; null: not known. */
  get position(): Cursor | null {
    return this.#state.name === 'following' ? this.#state.subscription.position : null
  }

  takeEntries(): readonly Entry[] {
    const entries = this.#entries
    this.#entries = []
    this.#bytes = 0
    return entries
  }

  /** What the log holds, if it had to be read again; from now on it is followed from there. */
  takeReading(): Loaded | null {
    if (this.#state.name !== 'read') return null
    const { loaded } = this.#state
    this.#state = this.#follow(loaded.head)
    return loaded
  }

  entry(entry: Entry): void {
    if (this.#state.name !== 'following') return
    this.#entries.push(entry)
    this.#bytes += entry.update.length
    // Our own commit may hang for minutes; reading again later is cheaper than keeping everything meanwhile.
    if (this.#bytes > this.#options.limits.maxPendingBytesPerDocument) this.stale()
    else this.#reader.schedule()
  }

  message(message: Message): void {
    if (this.#state.name === 'ended') return
    if (message.kind === COMPACTED) this.#reader.compactedElsewhere(Buffer.from(message.bytes).toString('latin1'))
    else this.#exchangePresence(message)
  }

  left(node: string): void {
    if (this.#state.name !== 'ended') this.#exchange.left(node, this.#options.clock.now())
  }

  stale(): void {
    if (this.#state.name !== 'following') return
    this.#state.subscription.end()
    this.takeEntries()
    this.#options.observer.observe({ type: 'stale', document: this.#options.name })
    this.#state = { name: 'reading', cancel: () => {} }
    const pause = this.#pause()
    if (pause === 0) this.#read(FIRST_RETRY_MS)
    else this.#state.cancel = this.#options.clock.after(pause, () => this.#read(FIRST_RETRY_MS))
  }

  /** Once per beat, after the room has been told. */
  announceChanges(): void {
    this.#exchange.changed()
  }

  /** To be called every second. */
  tick(now: number): void {
    this.#exchange.tick(now)
  }

  end(): void {
    this.#exchange.end()
    if (this.#state.name === 'following') this.#state.subscription.end()
    if (this.#state.name === 'reading') this.#state.cancel()
    this.#state = { name: 'ended' }
    this.takeEntries()
  }

  /** A kind nobody here knows comes from a newer node. */
  #exchangePresence(message: Message): void {
    const { name, clock, observer } = this.#options
    if (this.#exchange.receive(message, clock.now()) !== 'malformed') return
    observer.observe({ type: 'badMessage', document: name, kind: message.kind })
  }

  #follow(after: Cursor | null): State {
    const { engine, name } = this.#options
    const subscription = engine.subscribe(name, after, this)
    this.#exchange.joined()
    return { name: 'following', subscription }
  }

  /** Milliseconds to wait before reading again: nothing for once, more and more when it does not help. */
  #pause(): number {
    const now = this.#options.clock.now()
    this.#again = now - this.#lostAt < CALM_MS ? Math.min(LAST_RETRY_MS, Math.max(FIRST_RETRY_MS, this.#again * 2)) : 0
    this.#lostAt = now
    return this.#again
  }

  #read(retryIn: number): void {
    const { engine, name } = this.#options
    void engine.load(name).then(
      (loaded) => this.#loaded(loaded),
      (error: unknown) => this.#failed(toError(error), retryIn),
    )
  }

  #loaded(loaded: Loaded): void {
    if (this.#state.name !== 'reading') return
    this.#state = { name: 'read', loaded }
    this.#reader.schedule()
  }

  #failed(error: Error, retryIn: number): void {
    if (this.#state.name !== 'reading') return
    const { observer, clock, name } = this.#options
    observer.observe({ type: 'loadFailed', document: name, error, retryIn })
    this.#state.cancel = clock.after(retryIn, () => this.#read(Math.min(retryIn * 2, LAST_RETRY_MS)))
  }
}
