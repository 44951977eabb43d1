import type { CloseCode } from '../../shared/closeCodes.ts'
import type { ScriptoriumError } from '../../shared/errors.ts'
import { LimitExceededError, MalformedFrameError, toScriptoriumError } from '../../shared/errors.ts'
import { decodeStateVector } from '../../shared/update/stateVector.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { readAwareness } from '../../shared/wire/awareness.ts'
import type { ClientMessage } from '../../shared/wire/messages.ts'
import {
  awareness,
  confirmation,
  KEEP_ALIVE,
  probeAnswer,
  SAVED,
  syncStep1,
  syncUpdate,
} from '../../shared/wire/messages.ts'
import type { Broadcast } from './broadcast.ts'
import type { Participant, Submission } from './participant.ts'
import type { Pipeline } from './pipeline.ts'
import type { Presence } from './presence.ts'
import type { Speaker } from './presenceEntry.ts'
import type { SessionOptions } from './sessionOptions.ts'
import { createBudgets } from './budgets.ts'
import type { Budgets } from './budgets.ts'
import type { Uploader } from './uploads.ts'
import { Uploads } from './uploads.ts'

interface Queued {
  readonly messages: ClientMessage[]
  bytes: number
}

type State =
  /** The document is still being loaded; what the client says meanwhile waits. */
  | { readonly name: 'joining'; readonly queue: Queued }
  /** Loaded, but the client has not been told the document's state yet: it gets no updates. */
  | { readonly name: 'syncing'; readonly pipeline: Pipeline }
  | { readonly name: 'live'; readonly pipeline: Pipeline }
  /** The client does not read fast enough. It gets nothing until it has, and then one diff against `known`, the state vector at `version`. */
  | { readonly name: 'lagging'; readonly pipeline: Pipeline; readonly known: Uint8Array; readonly version: number }
  | { readonly name: 'closed' }

/** Probes answered late but one by one; beyond that the oldest go unanswered, as the newest one covers them. */
const MAX_PROBES = 64

/** Bytes a message holds on to while it waits. */
function sizeOf(message: ClientMessage): number {
  if ('update' in message) return message.update.length
  if ('stateVector' in message) return message.stateVector.length
  if ('states' in message) return message.states.length
  return 'payload' in message ? message.payload.length : 0
}

/** Where a session is, until it leaves. */
export interface Room {
  leave(session: Session): void
}

/** One client on one document: what it said, what it is owed, and how far it can keep up. Rules S1 to S10 of SPEC.md. */
export class Session implements Uploader, Speaker {
  readonly #options: SessionOptions
  readonly #presence: Presence
  readonly #room: Room
  #state: State = { name: 'joining', queue: { messages: [], bytes: 0 } }
  readonly #budgets: Budgets
  #uploads: Uploads | null = null
  /** The newest SyncStep1 not yet answered; `after` = how many of the session's updates must be settled first. */
  #request: { readonly stateVector: Uint8Array; readonly after: number } | null = null
  #probes: { readonly payload: Uint8Array; readonly after: number }[] = []
  /** `content.rewinds` when the client was last told what we have. */
  #askedAt = -1
  #presenceStale = true
  #strikes = 0
  /** How many times the client was told that we have what was not durable, and is not yet. */
  #owed = 0

  constructor(options: SessionOptions, presence: Presence, room: Room) {
    this.#options = options
    this.#budgets = options.budgets ?? createBudgets(options.limits, options.clock.now())
    this.#presence = presence
    this.#room = room
  }

  /** The document is loaded. */
  open(pipeline: Pipeline): void {
    if (this.#state.name !== 'joining') return
    const { queue } = this.#state
    this.#state = { name: 'syncing', pipeline }
    this.#options.link.resume(this)
    try {
      for (const message of queue.messages) this.receive(message)
    } catch (error) {
      this.fail(toScriptoriumError(error))
    }
  }

  /** @throws ScriptoriumError when the message is to be answered by closing the connection */
  receive(message: ClientMessage): void {
    if (this.#state.name === 'closed') return
    if (this.#state.name === 'joining') return this.#enqueue(this.#state.queue, message)
    const { pipeline } = this.#state
    switch (message.type) {
      case 'syncStep1':
        return this.#requestState(pipeline, message.stateVector)
      case 'syncStep2':
        return this.#submit(pipeline, message.update, { answersUs: true, isCounted: false })
      case 'update':
        return this.#submit(pipeline, message.update, { answersUs: false, isCounted: message.isCounted })
      case 'awareness':
        return this.#receivePresence(pipeline, message.states)
      case 'queryAwareness':
        this.#presenceStale = true // answered once per beat: one byte could ask for the presence of a whole crowd
        return pipeline.await(this)
      case 'probe':
        return this.#requestProof(pipeline, message.payload)
      case 'auth':
      case 'close':
      case 'ignored':
    }
  }

  /**
   * What `receive` would throw on sight of the message alone: for those that are to be taken together or not at all.
   *
   * @throws ScriptoriumError
   */
  check(message: ClientMessage): void {
    const { limits } = this.#options
    if (message.type === 'update' || message.type === 'syncStep2') walkUpdate(message.update, limits)
    else if (message.type === 'awareness') readAwareness(message.states)
    else if (message.type === 'syncStep1') decodeStateVector(this.#checkVectorSize(message.stateVector), Infinity)
  }

  /** Leaves the document. Idempotent. */
  end(): void {
    if (this.#state.name === 'closed') return
    this.#state = { name: 'closed' }
    this.#options.link.resume(this)
    this.#uploads?.end()
    this.#probes = []
    this.#request = null
    this.#room.leave(this)
  }

  /** The socket has sent all it had: time to catch up. */
  drained(): void {
    const state = this.#state
    if (state.name !== 'joining' && state.name !== 'closed') state.pipeline.await(this)
  }

  /** It has left the document. */
  get isGone(): boolean {
    return this.#state.name === 'closed'
  }

  /** A frame that only says "still here": to a client that waits for an answer storage delays, or heard nothing long. */
  keepAlive(): void {
    this.#send(KEEP_ALIVE)
  }

  /** True while the client waits for a proof of durability: it gives up on a connection that is silent for 3 s. */
  get isWaitingForProof(): boolean {
    return this.#probes.length > 0
  }

  challenge(): Promise<boolean> {
    return this.#options.link.challenge()
  }

  fail(error: ScriptoriumError): void {
    this.#options.link.fail(error)
  }

  close(code: CloseCode, reason: string): void {
    this.#options.link.close(code, reason)
  }

  taken(submission: Submission): void {
    this.#uploads?.taken(submission)
  }

  settled(submission: Submission): void {
    this.#uploads?.settled(submission)
  }

  hold(submission: Submission, shape: UpdateShape): void {
    const state = this.#state
    if (state.name !== 'closed' && state.name !== 'joining') this.#uploads?.hold(state.pipeline, submission, shape)
  }

  ask(pipeline: Pipeline): void {
    if (!this.isGone) this.#sendStep1(pipeline)
  }

  serve(): 'done' | 'held' | 'later' {
    const state = this.#state
    if (state.name === 'closed' || state.name === 'joining') return 'done'
    this.#uploads?.retry(state.pipeline)
    const isConfirmed = this.#confirm()
    this.#proveSaved()
    // A congested socket comes back through `drained`, unsettled updates through being settled.
    if (!this.#options.link.congested && !this.#serveReader(state)) return 'later'
    if (!isConfirmed) return 'later'
    return this.#uploads?.isHolding === true ? 'held' : 'done'
  }

  /** False: not now, the budget is spent. */
  #serveReader(state: Exclude<State, { name: 'closed' | 'joining' }>): boolean {
    if (this.#request !== null && this.#mayAnswer(this.#request.after)) {
      return this.#answer(state.pipeline, this.#request.stateVector)
    }
    if (state.name === 'lagging') this.#catchUp(state)
    else if (state.name === 'live' && this.#presenceStale) this.#sendPresence()
    return true
  }

  deliver(update: Broadcast, author: Participant | null, vector: () => Uint8Array): void {
    if (this.#state.name !== 'live' || this.#isSpared(author)) return
    const { link, dialect } = this.#options
    link.send(update.frameFor(dialect, link))
    if (link.congested && !this.isGone) this.#lag(this.#state.pipeline, vector())
  }

  deliverPresence(presence: Broadcast, speaker: Speaker | null): void {
    const { link, dialect } = this.#options
    if (this.#state.name !== 'live' || link.congested) {
      this.#presenceStale = true
      return
    }
    if (!this.#isSpared(speaker)) link.send(presence.frameFor(dialect, link))
    if (this.#presence.takeReturn(this)) this.#sendPresence()
  }

  /** Whether these are its own words, which it does not want back. */
  #isSpared(speaker: Participant | Speaker | null): boolean {
    return speaker === this && this.#uploads?.isCounting === true
  }

  /** Whether the first `count` of its uploads are durable. */
  #isSettled(count: number): boolean {
    return this.#uploads === null || this.#uploads.isSettled(count)
  }

  /** Whoever knows nothing yet is not kept waiting by an update of its own that may never find what it builds on. */
  #mayAnswer(count: number): boolean {
    const isBlind = this.#state.name === 'syncing' && this.#uploads?.isHolding === true && this.#uploads.isTaken
    return isBlind || this.#isSettled(count)
  }

  #enqueue(queue: Queued, message: ClientMessage): void {
    queue.messages.push(message)
    queue.bytes += sizeOf(message)
    const { maxPendingUpdatesPerSession, maxPendingBytesPerSession } = this.#options.limits
    const full = queue.messages.length >= maxPendingUpdatesPerSession || queue.bytes >= maxPendingBytesPerSession
    if (full) this.#options.link.pause(this)
  }

  #requestState(pipeline: Pipeline, stateVector: Uint8Array): void {
    this.#checkVectorSize(stateVector)
    this.#request = { stateVector: new Uint8Array(stateVector), after: this.#uploads?.count ?? 0 }
    pipeline.await(this)
  }

  #checkVectorSize(stateVector: Uint8Array): Uint8Array {
    if (stateVector.length <= this.#options.limits.maxStateVectorBytes) return stateVector
    throw new LimitExceededError('maxStateVectorBytes', `state vector of ${stateVector.length} bytes`)
  }

  #requestProof(pipeline: Pipeline, payload: Uint8Array): void {
    this.#probes.push({ payload: new Uint8Array(payload), after: this.#uploads?.count ?? 0 })
    if (this.#probes.length > MAX_PROBES) this.#probes.shift()
    pipeline.await(this)
  }

  #submit(pipeline: Pipeline, update: Uint8Array, how: { answersUs: boolean; isCounted: boolean }): void {
    this.#uploads ??= new Uploads(this, this.#options, this.#budgets)
    this.#uploads.submit(pipeline, update, { ...how, askedAt: this.#askedAt })
  }

  /** Tells the client what of its uploads is durable. False: not now, it has just been told. */
  #confirm(): boolean {
    const uploads = this.#uploads
    if (uploads === null) return true
    const acknowledged = uploads.takeAcknowledgements()
    if (!uploads.isCounting) this.#acknowledge(acknowledged)
    const count = uploads.takeConfirmation()
    if (count === 'later') return false
    if (count > 0) this.#send(confirmation(count))
    return true
  }

  #acknowledge(count: number): void {
    if (count === 0 || !this.#options.dialect.acknowledges) return
    const { link, dialect } = this.#options
    const frame = link.encode(dialect.prefix, SAVED)
    const frames = new Uint8Array(frame.length * count)
    for (let index = 0; index < count; index += 1) frames.set(frame, index * frame.length)
    link.send(frames)
  }

  #proveSaved(): void {
    if (this.#owed > 0) return
    for (let probe = this.#probes[0]; probe !== undefined && this.#isSettled(probe.after); probe = this.#probes[0]) {
      this.#probes.shift()
      this.#send(probeAnswer(probe.payload))
    }
  }

  /** False: not now, the budget is spent. */
  #answer(pipeline: Pipeline, stateVector: Uint8Array): boolean {
    const { clock, link, dialect } = this.#options
    const start = clock.now()
    if (this.#budgets.sync.wait(start) > 0) return false
    this.#request = null
    try {
      const { step2, updates } = pipeline.content.answer(stateVector)
      this.#sendStep1(pipeline)
      for (const update of updates) link.send(update.frameFor(dialect, link))
      link.send(step2.frameFor(dialect, link))
    } catch (error) {
      this.fail(toScriptoriumError(error))
      return true
    }
    this.#budgets.sync.spend(clock.now() - start)
    this.#becomeLive(pipeline)
    return true
  }

  #becomeLive(pipeline: Pipeline): void {
    if (this.#state.name === 'closed') return // by what was just sent: it was more than a socket may leave unread
    if (this.#options.link.congested) return this.#lag(pipeline, pipeline.content.committedVector())
    this.#state = { name: 'live', pipeline }
    if (this.#presenceStale) this.#sendPresence()
  }

  #lag(pipeline: Pipeline, known: Uint8Array): void {
    this.#state = { name: 'lagging', pipeline, known, version: pipeline.content.version }
    this.#presenceStale = true
    this.#options.observer.observe({ type: 'lagging', remote: this.#options.link.remote })
  }

  #catchUp({ pipeline, known, version }: Extract<State, { name: 'lagging' }>): void {
    const { content } = pipeline
    if (content.version !== version) this.#send(syncUpdate(content.encode(known)))
    this.#becomeLive(pipeline)
  }

  #receivePresence(pipeline: Pipeline, states: Uint8Array): void {
    const verdict = this.#presence.receive(this, readAwareness(states), states.length, this.#options.clock.now())
    if (verdict === 'strike') {
      this.#strikes += 1
      if (this.#strikes > this.#options.limits.maxStrikes) throw new MalformedFrameError('impossible presence')
    }
    if (this.#presence.changed) pipeline.schedule()
  }

  #sendPresence(): void {
    this.#presenceStale = false
    this.#presence.takeReturn(this)
    const all = this.#presence.encodeAll()
    if (all !== null) this.#send(awareness(all))
  }

  #sendStep1(pipeline: Pipeline): void {
    const { content } = pipeline
    this.#askedAt = content.rewinds
    if (!pipeline.isSettled) this.#owe(pipeline)
    this.#send(syncStep1(content.frontier()))
  }

  /**
   * The client is told that we have what is accepted and not durable yet, and will not send it: perhaps edits of its own,
   * from its last connection. Nothing is proved before that is durable.
   */
  #owe(pipeline: Pipeline): void {
    this.#owed += 1
    pipeline.whenSettled(() => {
      this.#owed -= 1
      if (!this.isGone) pipeline.await(this)
    })
  }

  #send(message: Uint8Array): void {
    const { link, dialect } = this.#options
    link.send(link.encode(dialect.prefix, message))
  }
}
