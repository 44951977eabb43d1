import { LimitExceededError, toScriptoriumError } from '../../shared/errors.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import type { Budgets } from './budgets.ts'
import { HeldUpdates } from './heldUpdates.ts'
import type { Participant, Submission } from './participant.ts'
import type { Pipeline } from './pipeline.ts'
import type { SessionOptions } from './sessionOptions.ts'

/** Milliseconds between two confirmations of uploads, so that they need no wake-up each. */
const CONFIRMATION_GAP_MS = 100
/** Counted updates that are confirmed one by one. */
const MAX_UNCONFIRMED = 1024

/** Updates that the client counts. */
interface Counted {
  /** Of the last of them, among all of the session's uploads. */
  readonly number: number
  readonly count: number
}

/** The session whose uploads these are. */
export interface Uploader extends Participant {
  /** Sends SyncStep1: what do you have that we lack? */
  ask(pipeline: Pipeline): void
}

/**
 * What one session has sent into the document: what of it is queued, held, durable, and not yet acknowledged. Made when
 * it sends its first update; most sessions of most documents never do.
 */
export class Uploads {
  readonly #from: Uploader
  readonly #options: SessionOptions
  readonly #budgets: Budgets
  readonly #held: HeldUpdates
  /** How many there have been. */
  #count = 0
  /** The numbers of those that are not durable, in order: what is pending or held, both of which are bounded. */
  readonly #unsettled = new Set<number>()
  /** What of those that the client counts it does not know to be durable; null: it has not counted any. */
  #unconfirmed: Counted[] | null = null
  #confirmedAt = -Infinity
  #unacknowledged = 0
  #pendingUpdates = 0
  #pendingBytes = 0
  /** SyncStep1 we sent without having been asked: the SyncStep2 that follows is acknowledged to nobody's counter. */
  #uninvited = 0
  /** `content.admitted` when the held updates were last tried. */
  #retriedAt = -1
  /** Ends the pause for having sent too many structs; its holder is `#held`, the other pause's is this. */
  #rest: (() => void) | null = null

  constructor(from: Uploader, options: SessionOptions, budgets: Budgets) {
    this.#from = from
    this.#options = options
    this.#budgets = budgets
    this.#held = new HeldUpdates(options.limits)
  }

  /** How many there have been: what has to be durable before a question asked now is answered. */
  get count(): number {
    return this.#count
  }

  get isHolding(): boolean {
    return !this.#held.isEmpty
  }

  /** True when all that is not held has been taken into a commit. */
  get isTaken(): boolean {
    return this.#pendingUpdates === 0
  }

  /** Whether the first `count` of them are durable. */
  isSettled(count: number): boolean {
    for (const number of this.#unsettled) return number > count
    return true
  }

  /**
   * @param answersUs it is a SyncStep2: all the client has that we told it we lack
   * @param isCounted by the client, which is to be told when it is durable
   * @param askedAt `content.rewinds` when we last told it
   * @throws MalformedUpdateError, LimitExceededError
   */
  submit(
    pipeline: Pipeline,
    update: Uint8Array,
    { answersUs, isCounted, askedAt }: { answersUs: boolean; isCounted: boolean; askedAt: number },
  ): void {
    const acknowledge = !(answersUs && this.#uninvited > 0)
    if (!acknowledge) this.#uninvited -= 1
    const arrivedAt = this.#options.clock.now()
    const shape = walkUpdate(update, this.#options.limits)
    const structs = this.#pay(shape)
    this.#count += 1
    this.#unsettled.add(this.#count)
    if (isCounted) this.#countOne(this.#count)
    const origin = { from: this.#from, number: this.#count, arrivedAt }
    const submission = { ...origin, update, structs, appends: false, acknowledge }
    if (this.#offer(pipeline, submission, shape)) {
      if (answersUs && this.isHolding) pipeline.await(this.#from)
      return
    }
    // An answer with gaps is all the client has; asked again, it would say the same again.
    if (answersUs && askedAt === pipeline.content.rewinds) this.#keep(pipeline, submission, shape)
    else this.hold(pipeline, submission, shape)
    if (answersUs) this.#submitFittingPart(pipeline, update)
  }

  /** Keeps what builds on something unknown, and asks the client for that. */
  hold(pipeline: Pipeline, submission: Submission, shape: UpdateShape): void {
    this.#keep(pipeline, submission, shape)
    if (this.#uninvited > 0) return // the answer to an earlier question is still to come
    this.#uninvited += 1
    this.#from.ask(pipeline)
  }

  taken(submission: Submission): void {
    this.#pendingUpdates -= 1
    this.#pendingBytes -= submission.update?.length ?? 0
    const { maxPendingUpdatesPerSession, maxPendingBytesPerSession } = this.#options.limits
    const roomy =
      this.#pendingUpdates <= maxPendingUpdatesPerSession / 2 && this.#pendingBytes <= maxPendingBytesPerSession / 2
    if (roomy) this.#options.link.resume(this)
  }

  settled(submission: Submission): void {
    if (submission.acknowledge) this.#unacknowledged += 1
    if (submission.number !== null) this.#unsettled.delete(submission.number)
  }

  /** Whether the client has counted any: then it wants to be told how many are durable, and nothing else of its own. */
  get isCounting(): boolean {
    return this.#unconfirmed !== null
  }

  /**
   * How many more of those that the client counts are durable than it knows. 'later': it was told something a moment ago.
   * Who types fast, or a program, is not woken up for each edit, and whoever cannot wait asks.
   */
  takeConfirmation(): number | 'later' {
    const unconfirmed = this.#unconfirmed ?? []
    const next = unconfirmed.findIndex(({ number }) => !this.isSettled(number))
    const settled = next === -1 ? unconfirmed : unconfirmed.slice(0, next)
    if (settled.length === 0) return 0
    const now = this.#options.clock.now()
    if (now < this.#confirmedAt + CONFIRMATION_GAP_MS) return 'later'
    this.#confirmedAt = now
    this.#unconfirmed = unconfirmed.slice(settled.length)
    return settled.reduce((sum, { count }) => sum + count, 0)
  }

  /** How many have become durable and are to be acknowledged; from now on they are. */
  takeAcknowledgements(): number {
    const count = this.#unacknowledged
    this.#unacknowledged = 0
    return count
  }

  /** Offers what is held again, if anything has come since the last time. */
  retry(pipeline: Pipeline): void {
    const { admitted } = pipeline.content
    if (!this.isHolding || this.#retriedAt === admitted) return
    this.#retriedAt = admitted
    this.#held.retry((submission, shape) => this.#offer(pipeline, submission, shape))
  }

  /**
   * The pauses outlast it, until what they wait for has come: who could end one by closing the document would be read
   * from without bounds, by closing it each time.
   */
  end(): void {
    this.#held.clear()
  }

  /** While one is held, others may become durable without end: then the newest are confirmed together. */
  #countOne(number: number): void {
    this.#unconfirmed ??= []
    const last = this.#unconfirmed.at(-1)
    if (last === undefined || this.#unconfirmed.length < MAX_UNCONFIRMED) this.#unconfirmed.push({ number, count: 1 })
    else this.#unconfirmed.splice(-1, 1, { number, count: last.count + 1 })
  }

  /** False: it builds on something unknown. */
  #offer(pipeline: Pipeline, submission: Submission, shape: UpdateShape): boolean {
    const admission = pipeline.submit(submission, shape)
    if (admission === 'missing') return false
    if (admission === 'refused') return true
    this.#pendingUpdates += 1
    if (admission !== 'nothing') this.#pendingBytes += submission.update?.length ?? 0
    this.#applyBackpressure()
    return true
  }

  /** Beyond its budget of structs per second the socket is not read from until that has refilled. */
  #pay(shape: UpdateShape): number {
    const { link, clock } = this.#options
    const { structs } = this.#budgets
    const count = structsOf(shape)
    structs.spend(count)
    const wait = structs.isSpent ? structs.wait(clock.now()) : 0
    if (wait === 0 || this.#from.isGone) return count
    this.#rest?.()
    link.pause(this.#held)
    this.#rest = clock.after(wait, () => link.resume(this.#held))
    return count
  }

  #applyBackpressure(): void {
    const { maxPendingUpdatesPerSession, maxPendingBytesPerSession } = this.#options.limits
    const full = this.#pendingUpdates > maxPendingUpdatesPerSession || this.#pendingBytes > maxPendingBytesPerSession
    if (full && !this.#from.isGone) this.#options.link.pause(this)
  }

  #keep(pipeline: Pipeline, submission: Submission, shape: UpdateShape): void {
    try {
      this.#held.add(submission, shape)
      // What is missing may come from somebody else, and this client may have nothing more to say.
      pipeline.await(this.#from)
    } catch (error) {
      this.#from.fail(toScriptoriumError(error))
    }
  }

  /**
   * A client that has itself never received what its document builds on cannot help us to it. What does fit is saved;
   * the whole stays held, unacknowledged.
   */
  #submitFittingPart(pipeline: Pipeline, update: Uint8Array): void {
    const start = this.#options.clock.now()
    if (this.#budgets.sync.wait(start) > 0) throw new LimitExceededError('syncBurstMs', 'too many incomplete documents')
    const part = pipeline.content.fittingPart(update)
    this.#budgets.sync.spend(this.#options.clock.now() - start)
    if (part === null) return
    const shape = walkUpdate(part, this.#options.limits)
    const origin = { from: this.#from, number: null, arrivedAt: start }
    this.#offer(
      pipeline,
      { ...origin, update: part, structs: structsOf(shape), appends: false, acknowledge: false },
      shape,
    )
  }
}

/** What Yjs' work on an update grows with. */
function structsOf({ structs = 1, deletes }: UpdateShape): number {
  return structs + deletes.length / 3
}
