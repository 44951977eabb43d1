import * as Y from 'yjs'
import { CloseCode } from '../../shared/closeCodes.ts'
import { MalformedUpdateError, toError } from '../../shared/errors.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { awareness, syncUpdate } from '../../shared/wire/messages.ts'
import type { Cursor, Loaded } from '../engine/engine.ts'
import { Beat } from './beat.ts'
import { Broadcast } from './broadcast.ts'
import { Compactor } from './compactor.ts'
import { Content } from './content.ts'
import type { Admission } from './admission.ts'
import type { LogRecord } from './logRecord.ts'
import { authorOf } from './logRecord.ts'
import type { Participant, Submission } from './participant.ts'
import { Queue } from './queue.ts'
import { difference } from './reconcile.ts'
import { Replica } from './replica.ts'
import type { Reader, ReplicaOptions } from './replica.ts'
import { Settling } from './settling.ts'
import { Waitlist } from './waitlist.ts'

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

type Commit =
  | { readonly name: 'idle' }
  | { readonly name: 'committing' }
  /** The last append failed; memory is ahead of the log, so nothing is relayed, acknowledged or answered meanwhile. */
  | { readonly name: 'blocked'; readonly cancel: () => void }
  /** Destroyed: what is still in flight ends here. */
  | { readonly name: 'closed' }

const idle: Commit = { name: 'idle' }

export interface PipelineOptions extends ReplicaOptions {
  readonly participants: ReadonlySet<Participant>
}

/**
 * The path of one edit: admitted → pending → one transaction → one record → durable → one frame for everybody.
 *
 * Updates that arrive while a commit is in flight wait; the next commit makes one update of all of them, which is both
 * the log record and what every participant receives. Joins and probes
 * are answered between two commits only, when memory holds what the log holds (rules D1 to D9 of SPEC.md).
 */
export class Pipeline implements Reader {
  readonly content: Content
  readonly #options: PipelineOptions
  readonly #beat: Beat
  readonly #compactor: Compactor
  readonly #replica: Replica
  readonly #waiting: Waitlist
  readonly #pending = new Queue()
  /** What other nodes have made durable and the room has not been told. */
  #fresh: Uint8Array[] = []
  #commit: Commit = idle
  /** While positive, batches hold one update, so that a poisonous one convicts its sender. */
  #isolate = 0
  readonly #settling = new Settling()
  #transactionMs = 0

  constructor(options: PipelineOptions, loaded: Loaded) {
    this.#options = options
    this.content = new Content(loaded, options.limits, this.#poisoned)
    this.#compactor = new Compactor(options, loaded)
    this.#beat = new Beat(
      options.clock,
      () => options.participants.size * WRITE_COST_MS + this.#transactionMs,
      () => this.#work(),
    )
    this.#waiting = new Waitlist(options.clock, () => this.schedule())
    this.#replica = new Replica(options, loaded.head, this)
  }

  /** True when everything accepted is durable. */
  get isSettled(): boolean {
    return this.#commit.name === 'idle' && this.#pending.length === 0 && this.#replica.isCurrent
  }

  /**
   * Queues an update whose shape is known to be sound. 'missing' and 'refused': it was not queued; after 'refused' its
   * sender has been told to come back when storage works again.
   */
  submit(submission: Submission, shape: UpdateShape): Admission | 'refused' {
    const bytes = submission.update?.length ?? 0
    if (this.#pending.bytes > 0 && this.#pending.bytes + bytes > this.#options.limits.maxPendingBytesPerDocument) {
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

  /** To be called every second. */
  tick(now: number): void {
    this.#replica.tick(now)
  }

  compactedElsewhere(upTo: Cursor): void {
    this.#compactor.compactedElsewhere(upTo)
    this.schedule()
  }

  leave(participant: Participant): void {
    this.#waiting.delete(participant)
  }

  /**
   * Resolves when everything accepted so far is durable, between two commits; not before storage works, however long
   * that takes. What is accepted later is not waited for: in a busy document that would never end.
   */
  settle(): Promise<void> {
    return new Promise((resolve) => this.#hurry(resolve))
  }

  /** The document's state with everything accepted so far, as one update; not before that is durable. */
  read(): Promise<Uint8Array> {
    return new Promise((resolve) => this.#hurry(() => resolve(this.content.whole())))
  }

  /** As `settle`, but in its own time: nothing is written sooner for it. */
  whenSettled(done: () => void): void {
    if (this.isSettled) return done()
    this.#settling.add(this.#pending.length, done)
    this.schedule()
  }

  #hurry(done: () => void): void {
    this.whenSettled(done)
    this.#work() // after the line above: what brings nothing new is settled at once
  }

  /** A last snapshot, if anything was written since the previous one and making it costs little. */
  async compact(): Promise<void> {
    await this.#compactor.finished
    if (this.#commit.name === 'idle') this.#replicate()
    if (this.#compactor.hasEntries && this.content.isCheap && this.isSettled) await this.#snapshot()
  }

  destroy(): void {
    this.#beat.stop()
    this.#waiting.stop()
    this.#replica.end()
    if (this.#commit.name === 'blocked') this.#commit.cancel()
    this.#commit = { name: 'closed' }
    this.content.destroy()
  }

  #queue(submission: Submission): void {
    this.#pending.push(submission)
    this.schedule()
  }

  /** One beat. False when there was nothing to do but presence, because a write is in flight. */
  #work(): boolean {
    if (this.#commit.name === 'committing') {
      this.#relayPresence()
      return false
    }
    if (this.#hasNothingToDo()) return false
    if (this.#commit.name === 'idle') this.#replicate()
    if (this.#isIdle() && this.#pending.length > 0) this.#commitNext()
    else this.#rest()
    // What changed in the same beat is to leave in one write with the update, but not to wait for a slow disk.
    if (this.#options.presence.changed) this.schedule()
    return true
  }

  #hasNothingToDo(): boolean {
    const { presence } = this.#options
    const isQuiet = this.#waiting.isEmpty && !presence.changed && this.#settling.isEmpty && !this.#hasNews
    return this.isSettled && isQuiet
  }

  get #hasNews(): boolean {
    return this.#replica.hasNews || this.#compactor.mayFold
  }

  readonly #poisoned = (error: Error): void =>
    this.#options.observer.observe({ type: 'poisoned', document: this.#options.name, error })

  /** A method, because what was called since the last look may have changed it. */
  #isIdle(): boolean {
    return this.#commit.name === 'idle'
  }

  /** Takes in what other nodes have made durable. Between two commits, like everything that is shown to clients. */
  #replicate(): void {
    const reading = this.#replica.takeReading()
    if (reading !== null) this.#reconcile(reading)
    this.#compactor.fold(this.content)
    const entries = this.#replica.takeEntries()
    if (entries.length > 0) this.#absorb(entries.map(({ update }) => update))
  }

  #absorb(updates: readonly Uint8Array[]): void {
    for (const update of updates) {
      const outcome = this.content.absorb(update)
      // The log never has such a gap, unless the storage has lost something.
      if (outcome === 'missing') return this.#replica.stale()
      if (outcome === 'new') this.#fresh.push(update)
    }
    this.#compactor.replicated(updates.length)
    const { name, observer, participants } = this.#options
    observer.observe({ type: 'replicated', document: name, entries: updates.length, recipients: participants.size })
    if (this.#compactor.isDue(this.content)) void this.#snapshot()
  }

  /** Between two commits, or with what has just been committed: then both leave in one write. */
  #relayFresh(): void {
    const updates = this.#fresh
    const [first, ...more] = updates
    if (first === undefined) return
    this.#fresh = []
    this.#deliver(new Broadcast(syncUpdate(more.length === 0 ? first : Y.mergeUpdates(updates))))
  }

  /** @param author whose own words these are, and nothing else; null: of several, or Yjs has added to them */
  #deliver(broadcast: Broadcast, author: Participant | null = null): void {
    let known: Uint8Array | null = null
    const vector = (): Uint8Array => (known ??= this.content.committedVector())
    for (const participant of this.#options.participants) participant.deliver(broadcast, author, vector)
  }

  /** What the storage holds and what we hold may have parted: each gets what it lacks of the other. */
  #reconcile(loaded: Loaded): void {
    const { name, observer, limits } = this.#options
    const { lost, news, flaws } = difference(this.content, loaded, { limits, onLoss: this.#poisoned })
    this.content.inherit(flaws)
    this.#compactor.begin(loaded)
    observer.observe({ type: 'reconciled', document: name, restored: lost?.length ?? 0, received: news?.length ?? 0 })
    if (news !== null) this.#absorb([news])
    if (lost !== null) this.#append({ batch: [], merged: lost, author: null }, FIRST_RETRY_MS)
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
    const { merged, isVerbatim } = applied
    if (merged === null) return this.#finish(batch)
    this.#append({ batch, merged, author: isVerbatim ? authorOf(written) : null }, FIRST_RETRY_MS)
    this.#releaseSenders(batch)
  }

  /** Not before Yjs has taken the batch: after `#recover` it is in the queue again. */
  #releaseSenders(batch: readonly Submission[]): void {
    for (const submission of batch) submission.from.taken(submission)
  }

  #take(): Submission[] {
    const batch = this.#pending.take(this.#isolate > 0 ? 1 : Infinity)
    this.#isolate = Math.max(0, this.#isolate - 1)
    this.#settling.taken(batch.length)
    return batch
  }

  #append(record: LogRecord, retryIn: number): void {
    this.#commit = { name: 'committing' }
    void this.#options.engine.append(this.#options.name, record.merged).then(
      () => this.#durable(record),
      (error: unknown) => this.#blocked(record, retryIn, toError(error)),
    )
  }

  #durable(record: LogRecord): void {
    if (this.#commit.name === 'closed') return
    this.#compactor.appended()
    this.#show(record)
    this.#finish(record.batch)
    if (this.#compactor.isDue(this.content)) void this.#snapshot()
  }

  #show({ batch, merged, author }: LogRecord): void {
    if (batch[0] === undefined) return
    const { name, clock, observer, participants } = this.#options
    const broadcast = new Broadcast(syncUpdate(merged))
    this.content.committed(merged, broadcast, this.#pending.length === 0)
    this.#relayFresh()
    this.#deliver(broadcast, author)
    const amount = { updates: batch.length, bytes: merged.length, recipients: participants.size }
    observer.observe({ type: 'committed', document: name, milliseconds: clock.now() - batch[0].arrivedAt, ...amount })
  }

  /** The write may or may not have happened. Appending it again does no harm; showing it to anybody would. */
  #blocked(record: LogRecord, retryIn: number, error: Error): void {
    if (this.#commit.name === 'closed') return
    const { name, clock, observer } = this.#options
    observer.observe({ type: 'commitFailed', document: name, error, retryIn })
    const retry = (): void => this.#append(record, Math.min(retryIn * 2, LAST_RETRY_MS))
    this.#commit = { name: 'blocked', cancel: clock.after(retryIn, retry) }
    this.schedule()
  }

  #finish(batch: readonly Submission[]): void {
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
    this.#relayFresh()
    this.#waiting.serve()
    if (this.#pending.length > 0 || this.#hasNews) this.schedule()
    if (this.#replica.isCurrent) this.#settling.settle()
  }

  #relayPresence(): void {
    const changes = this.#options.presence.takeChanges()
    this.#replica.announceChanges()
    if (changes === null) return
    const broadcast = new Broadcast(awareness(changes.update))
    for (const participant of this.#options.participants) participant.deliverPresence(broadcast, changes.speaker)
  }

  /** Whose update it was; undefined when it takes several together. */
  #convict(written: readonly Submission[], culprit: number | null): Submission | undefined {
    this.content.discard()
    if (culprit !== null || written.length === 1) return written[culprit ?? 0]
    return written[this.content.findCulprit(written.map((submission) => submission.update ?? new Uint8Array()))]
  }

  /** Memory no longer matches the log: start again from the log, without the culprit, or one by one to find it. */
  #recover(batch: Submission[], culprit: Submission | undefined, error: Error): void {
    this.#poisoned(error)
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
    const again = [...batch, ...this.#pending.takeAll()]
    for (const submission of again) this.#readmit(submission)
    this.#settling.restart(this.#pending.length)
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

  /** Nothing waits to be taken in, and no commit is in flight: all up to the position is in memory. */
  async #snapshot(): Promise<void> {
    if (this.#hasNews) this.#replicate()
    const upTo = this.#replica.position
    if (upTo === null || !this.#isIdle()) return
    this.#relayFresh()
    await this.#compactor.run(upTo, this.content)
  }
}
