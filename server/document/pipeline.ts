import { CloseCode } from '../../shared/closeCodes.ts'
import { MalformedUpdateError, toError, toScriptoriumError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { awareness, syncUpdate } from '../../shared/wire/messages.ts'
import type { Clock } from '../clock.ts'
import type { Cursor, Engine, Loaded } from '../engine/engine.ts'
import type { Observer } from '../observer.ts'
import { Beat } from './beat.ts'
import { Broadcast } from './broadcast.ts'
import { Compactor } from './compactor.ts'
import { Content } from './content.ts'
import type { Admission } from './content.ts'
import type { Participant, Submission } from './participant.ts'
import type { Presence } from './presence.ts'

/** What one transaction may merge; the rest is for the next beat. Bounds the stall: 8,192 updates take about 15 ms. */
const MAX_BATCH_UPDATES = 8192
const MAX_BATCH_BYTES = 4 * 1024 * 1024
/** A struct may be two bytes: 4 MiB of them would stall everybody for more than half a second. */
const MAX_BATCH_STRUCTS = 250_000
/** Milliseconds of CPU one socket write costs: 11 µs were measured, in rooms of 50 to 200. */
const WRITE_COST_MS = 0.011
/**
 * Weight of the newest transaction in the moving average of what one costs. It grows with the client ids a document
 * knows: 4.6 µs were measured with 2, 123 µs with 1,000, 1.2 ms with 5,000.
 */
const SMOOTHING = 0.1
/** Batches above this cost what their updates cost, not what a transaction does: stretching the beat would not help. */
const SMALL_BATCH = 256
/** Milliseconds before a failed append is tried again; doubled each time. */
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 2_000
/** Milliseconds one round of answering may take, then others have their turn: 500 may come back at once (C115). */
const MAX_SERVE_MS = 15
/** Milliseconds after which a participant whose budget is spent is served again. */
const SERVE_AGAIN_MS = 100

type Commit =
  | { readonly name: 'idle' }
  | { readonly name: 'committing' }
  /** The last append failed; memory is ahead of the log, so nothing is relayed, acknowledged or answered meanwhile. */
  | { readonly name: 'blocked'; readonly cancel: () => void }
  /** Destroyed: what is still in flight ends here. */
  | { readonly name: 'closed' }

const idle: Commit = { name: 'idle' }

export interface PipelineOptions {
  readonly name: string
  readonly engine: Engine
  readonly clock: Clock
  readonly observer: Observer
  readonly limits: Limits
  readonly participants: ReadonlySet<Participant>
  readonly presence: Presence
}

/**
 * The path of one edit: admitted → pending → one transaction → one record → durable → one frame for everybody.
 *
 * Updates that arrive while a commit is in flight wait; the next commit makes one update of all of them, which is both
 * the log record and what every participant receives. Joins and probes
 * are answered between two commits only, when memory holds what the log holds (rules D1 to D9 of SPEC.md).
 */
export class Pipeline {
  readonly content: Content
  readonly #options: PipelineOptions
  readonly #beat: Beat
  readonly #compactor: Compactor
  readonly #waiting = new Set<Participant>()
  #pending: Submission[] = []
  #pendingBytes = 0
  #commit: Commit = idle
  #head: Cursor | null
  #logged: number
  /** While positive, batches hold one update, so that a poisonous one convicts its sender. */
  #isolate = 0
  /** Who waits for its part of the queue to be durable: `left` = how much of that is still pending. */
  #settling: { left: number; readonly resolve: () => void }[] = []
  #transactionMs = 0
  #retry: (() => void) | null = null

  constructor(options: PipelineOptions, loaded: Loaded) {
    this.#options = options
    this.content = new Content(loaded, options.limits, (error) => {
      options.observer.observe({ type: 'poisoned', document: options.name, error })
    })
    this.#head = loaded.head
    this.#logged = loaded.tail.length
    this.#compactor = new Compactor(options.name, options.engine, options.observer, loaded.base)
    this.#beat = new Beat(
      options.clock,
      () => options.participants.size * WRITE_COST_MS + this.#transactionMs,
      () => this.#work(),
    )
  }

  /** True when everything accepted is durable. */
  get isSettled(): boolean {
    return this.#commit.name === 'idle' && this.#pending.length === 0
  }

  /**
   * Queues an update whose shape is known to be sound. 'missing' and 'refused': it was not queued; after 'refused' its
   * sender has been told to come back when storage works again.
   */
  submit(submission: Submission, shape: UpdateShape): Admission | 'refused' {
    const bytes = submission.update?.length ?? 0
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.limits.maxPendingBytesPerDocument) {
      submission.from.close(CloseCode.tryAgainLater, 'storage cannot keep up')
      return 'refused'
    }
    const admission = this.content.admit(shape)
    if (admission === 'nothing') this.#queue({ ...submission, update: null })
    else if (admission !== 'missing') this.#queue({ ...submission, appends: admission === 'appends' })
    return admission
  }

  /** Calls `participant.serve()` as soon as memory and log agree, and again until it returns 'done'. */
  await(participant: Participant): void {
    this.#waiting.add(participant)
    this.schedule()
  }

  /** Something is to be done: presence to relay, a request to answer, updates to commit. */
  schedule(): void {
    this.#beat.schedule()
  }

  leave(participant: Participant): void {
    this.#waiting.delete(participant)
  }

  /**
   * Resolves when everything accepted so far is durable, between two commits; not before storage works, however long
   * that takes. What is accepted later is not waited for: in a busy document that would never end.
   */
  settle(): Promise<void> {
    return new Promise((resolve) => this.#whenSettled(resolve))
  }

  /** The document's state with everything accepted so far, as one update; not before that is durable. */
  read(): Promise<Uint8Array> {
    return new Promise((resolve) => this.#whenSettled(() => resolve(this.content.whole())))
  }

  #whenSettled(done: () => void): void {
    if (this.isSettled) return done()
    this.#settling.push({ left: this.#pending.length, resolve: done })
    this.#work() // after the line above: what brings nothing new is settled at once
  }

  /** A last snapshot, if anything was written since the previous one and making it costs little. */
  async compact(): Promise<void> {
    await this.#compactor.finished
    if (this.#head !== null && this.#logged > 0 && this.content.isCheap && this.isSettled)
      await this.#snapshot(this.#head)
  }

  destroy(): void {
    this.#beat.stop()
    this.#retry?.()
    if (this.#commit.name === 'blocked') this.#commit.cancel()
    this.#commit = { name: 'closed' }
    this.content.destroy()
  }

  #queue(submission: Submission): void {
    this.#pending.push(submission)
    this.#pendingBytes += submission.update?.length ?? 0
    this.schedule()
  }

  /** One beat. False when there was nothing to do but presence, because a write is in flight. */
  #work(): boolean {
    if (this.#commit.name === 'committing') {
      this.#relayPresence()
      return false
    }
    if (this.#hasNothingToDo()) return false
    if (this.#commit.name === 'idle' && this.#pending.length > 0) this.#commitNext()
    else this.#rest()
    // What changed in the same beat is to leave in one write with the update, but not to wait for a slow disk.
    if (this.#options.presence.changed) this.schedule()
    return true
  }

  #hasNothingToDo(): boolean {
    return this.isSettled && this.#waiting.size === 0 && !this.#options.presence.changed && this.#settling.length === 0
  }

  #commitNext(): void {
    const batch = this.#take()
    const written = batch.filter((submission) => submission.update !== null)
    if (written.length === 0) return this.#finish(batch)
    const start = this.#options.clock.now()
    const applied = this.content.apply(written)
    if (batch.length < SMALL_BATCH)
      this.#transactionMs += (this.#options.clock.now() - start - this.#transactionMs) * SMOOTHING
    if (!applied.ok && applied.culprit === 'none') return this.#judgeAgain(batch)
    if (!applied.ok) return this.#recover(batch, this.#convict(written, applied.culprit), applied.error)
    if (applied.merged === null) return this.#finish(batch)
    this.#append(batch, applied.merged, FIRST_RETRY_MS)
    this.#releaseSenders(batch)
  }

  /** Not before Yjs has taken the batch: after `#recover` it is in the queue again. */
  #releaseSenders(batch: readonly Submission[]): void {
    for (const submission of batch) submission.from.taken(submission)
  }

  #take(): Submission[] {
    let count = 0
    let bytes = 0
    let structs = 0
    const most = this.#isolate > 0 ? 1 : MAX_BATCH_UPDATES
    for (const submission of this.#pending) {
      if (count >= most || (count > 0 && (bytes >= MAX_BATCH_BYTES || structs >= MAX_BATCH_STRUCTS))) break
      count += 1
      bytes += submission.update?.length ?? 0
      structs += submission.structs
    }
    this.#isolate = Math.max(0, this.#isolate - 1)
    this.#pendingBytes -= bytes
    for (const waiter of this.#settling) waiter.left -= count
    if (count < this.#pending.length) return this.#pending.splice(0, count)
    const batch = this.#pending
    this.#pending = []
    return batch
  }

  #append(batch: Submission[], merged: Uint8Array, retryIn: number): void {
    const { name, engine } = this.#options
    this.#commit = { name: 'committing' }
    void engine.append(name, merged).then(
      (cursor) => this.#durable(batch, merged, cursor),
      (error: unknown) => this.#blocked(batch, merged, retryIn, toError(error)),
    )
  }

  #durable(batch: Submission[], merged: Uint8Array, cursor: Cursor): void {
    if (this.#commit.name === 'closed') return
    const { name, clock, observer, participants } = this.#options
    const broadcast = new Broadcast(syncUpdate(merged))
    this.#head = cursor
    this.#logged += 1
    this.content.committed(merged, broadcast, this.#pending.length === 0)
    let known: Uint8Array | null = null
    const vector = (): Uint8Array => (known ??= this.content.committedVector())
    for (const participant of participants) participant.deliver(broadcast, vector)
    const milliseconds = clock.now() - (batch[0]?.arrivedAt ?? 0)
    observer.observe({
      type: 'committed',
      document: name,
      updates: batch.length,
      bytes: merged.length,
      milliseconds,
      recipients: participants.size,
    })
    this.#finish(batch)
    if (this.content.wantsSnapshot && !this.#compactor.isRunning) void this.#snapshot(cursor)
  }

  /** The write may or may not have happened. Appending it again does no harm; showing it to anybody would. */
  #blocked(batch: Submission[], merged: Uint8Array, retryIn: number, error: Error): void {
    if (this.#commit.name === 'closed') return
    const { name, clock, observer } = this.#options
    observer.observe({ type: 'commitFailed', document: name, error, retryIn })
    const retry = (): void => this.#append(batch, merged, Math.min(retryIn * 2, LAST_RETRY_MS))
    this.#commit = { name: 'blocked', cancel: clock.after(retryIn, retry) }
    this.schedule()
  }

  #finish(batch: Submission[]): void {
    if (this.#commit.name === 'idle') this.#releaseSenders(batch)
    this.#commit = idle
    for (const submission of batch) {
      submission.from.settled(submission)
      this.#waiting.add(submission.from)
    }
    this.#rest()
  }

  /** What is done between two commits. Presence waits for no disk; everything else only for a log that works. */
  #rest(): void {
    this.#relayPresence()
    if (this.#commit.name !== 'idle') return
    this.#serveWaiting()
    if (this.#pending.length > 0) this.schedule()
    this.#resolveSettled()
  }

  #resolveSettled(): void {
    const settled = this.#settling.filter(({ left }) => left <= 0)
    if (settled.length === 0) return
    this.#settling = this.#settling.filter(({ left }) => left > 0)
    for (const { resolve } of settled) resolve()
  }

  #serveWaiting(): void {
    const { clock } = this.#options
    const end = clock.now() + MAX_SERVE_MS
    let later = false
    for (const participant of this.#waiting) {
      if (clock.now() > end) return this.schedule()
      const outcome = serve(participant)
      if (outcome === 'done') this.#waiting.delete(participant)
      later ||= outcome === 'later'
    }
    if (!later || this.#retry !== null) return
    this.#retry = clock.after(SERVE_AGAIN_MS, () => {
      this.#retry = null
      this.schedule()
    })
  }

  #relayPresence(): void {
    const changes = this.#options.presence.takeChanges()
    if (changes === null) return
    const broadcast = new Broadcast(awareness(changes))
    for (const participant of this.#options.participants) participant.deliverPresence(broadcast)
  }

  /** Whose update it was; undefined when it takes several together. */
  #convict(written: readonly Submission[], culprit: number | null): Submission | undefined {
    this.content.discard()
    if (culprit !== null || written.length === 1) return written[culprit ?? 0]
    return written[this.content.findCulprit(written.map((submission) => submission.update ?? new Uint8Array()))]
  }

  /** Memory no longer matches the log: start again from the log, without the culprit, or one by one to find it. */
  #recover(batch: Submission[], culprit: Submission | undefined, error: Error): void {
    this.#options.observer.observe({ type: 'poisoned', document: this.#options.name, error })
    if (culprit === undefined) this.#isolate = batch.length
    else culprit.from.fail(new MalformedUpdateError('update cannot be integrated', error))
    this.#admitAgain(batch.filter((submission) => submission !== culprit))
  }

  /** Memory was made anew from a log of which a part cannot be used. */
  #judgeAgain(batch: Submission[]): void {
    this.content.discard()
    this.#admitAgain(batch)
  }

  #admitAgain(batch: Submission[]): void {
    const again = [...batch, ...this.#pending]
    this.#pending = []
    this.#pendingBytes = 0
    for (const submission of again) this.#readmit(submission)
    for (const waiter of this.#settling) waiter.left = this.#pending.length
    this.schedule()
  }

  #readmit(submission: Submission): void {
    if (submission.update === null) return this.#queue(submission)
    const shape = walkUpdate(submission.update, this.#options.limits)
    const admission = this.content.admit(shape)
    if (admission !== 'missing') return this.#queue({ ...submission, appends: admission === 'appends' })
    submission.from.taken(submission)
    submission.from.hold(submission, shape)
  }

  async #snapshot(upTo: Cursor): Promise<void> {
    const logged = this.#logged
    try {
      if (await this.#compactor.run(upTo, this.content.takeSnapshot())) this.#logged -= logged
    } catch (error) {
      this.#options.observer.observe({ type: 'compactionFailed', document: this.#options.name, error: toError(error) })
    }
  }
}

/** What goes wrong with one participant is no matter of the others. */
function serve(participant: Participant): ReturnType<Participant['serve']> {
  try {
    return participant.serve()
  } catch (error) {
    participant.fail(toScriptoriumError(error))
    return 'done'
  }
}
