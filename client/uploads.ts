import { equalFlat } from 'lib0/array'
import { mergeUpdates } from 'yjs'
import type { ClientClock } from './environment.ts'
import { later } from './later.ts'

/**
 * Milliseconds after an upload until a server that does not confirm is asked whether it is saved; usually its echo has
 * said so before. It is asked for what we lack, which is more work than an answer is worth.
 */
const QUESTION_DELAY_MS = 1_000
/** Unsent bytes of a socket above which edits are kept back and merged. */
const HIGH_WATER_BYTES = 256 * 1024
/** Milliseconds until such a socket is looked at again. */
const DRAIN_POLL_MS = 50
/** Edits kept back that are merged into one. */
const MAX_QUEUED = 256
/** Uploads that are waited for one by one. */
const MAX_FLIGHTS = 64
/**
 * Milliseconds from one upload to the next with 'auto', at least and at most. Who types is slower than the least and does
 * not wait for it. Programs are faster, and a message for each of their edits costs more than the edit; our server gathers
 * for as long or longer.
 */
const MIN_GAP_MS = 16
const MAX_GAP_MS = 50
/** The part of a round trip that is gathered for, between these two. */
const GAP_PER_ROUND_TRIP = 1 / 4

/** An upload on its way. */
interface Flight {
  /** Number of the last edit in it. */
  readonly version: number
  /** What its echo would look like; null when there is none. */
  readonly bytes: Uint8Array | null
  /** `ClientClock.now()` of the first edit in it. */
  readonly since: number
  /** `ClientClock.now()` when it left. */
  readonly at: number
}

/** Where uploads go. */
export interface UploadTarget {
  readonly bufferedAmount: number
  /** Milliseconds; null while unknown. */
  readonly roundTrip: number | null
  /** Whether it says by itself what is saved. */
  readonly isOurs: boolean
  /** False while the server refuses whatever comes from us: then nothing it says proves anything. */
  readonly isWritable: boolean
  /** @param version of the last edit in it, for `confirm` */
  sendUpdate(update: Uint8Array, version: number): void
  /** Asks whether everything sent so far is saved; the answer comes as `confirm(version)`. */
  askForProof(version: number): void
}

/** Numbers of edits changed. `savedAfter`: milliseconds, when a save was confirmed. */
type Listener = (savedAfter: number | null) => void

/**
 * What this client has written: what of it is queued, under way, and saved. Edits are counted; "saved up to n" says that
 * the first n are. Without a connection nothing is queued: the document itself is what the next handshake sends.
 */
export class Uploads {
  readonly #clock: ClientClock
  readonly #flushDelay: number | 'auto'
  readonly #listener: Listener
  #target: UploadTarget | null = null
  #made = 0
  #sent = 0
  #saved = 0
  #queue: Uint8Array[] = []
  /** How many of them, at the front, are merged already: nothing is merged twice while it waits. */
  #merged = 0
  #flights: Flight[] = []
  /** When the first edit was made that has not been sent, or with no connection, that is not saved. */
  #since: number | null = null
  #flushedAt = -Infinity
  #asked = 0
  #cancelFlushing: (() => void) | null = null
  #cancelProof: (() => void) | null = null

  constructor(clock: ClientClock, flushDelay: number | 'auto', listener: Listener) {
    this.#clock = clock
    this.#flushDelay = flushDelay
    this.#listener = listener
  }

  get made(): number {
    return this.#made
  }

  get saved(): number {
    return this.#saved
  }

  get isSaved(): boolean {
    return this.#saved === this.#made
  }

  /** When the oldest unsaved edit was made; null when all are saved. */
  get unsavedSince(): number | null {
    return this.isSaved ? null : (this.#flights[0]?.since ?? this.#since)
  }

  /** Whether edits are kept back and merged. */
  get isFull(): boolean {
    return (this.#target?.bufferedAmount ?? 0) > HIGH_WATER_BYTES
  }

  /** There are edits in the document that were not made through `edit`, or, now that we know it, there are none. */
  found(count: number): void {
    if (count > 0) this.#count(count)
    this.#listener(null)
  }

  edit(update: Uint8Array): void {
    this.#count(1)
    if (this.#target !== null) {
      this.#enqueue(update)
      this.#schedule()
    }
    this.#listener(null)
  }

  /**
   * The server gets everything it lacks. From now on edits go to `target`.
   *
   * @param isLacking whether that is anything
   * @param send sends it: whoever looks on may edit, and that is not in it and has to follow
   */
  cover(isLacking: boolean, target: UploadTarget, send: () => void): void {
    const isFirst = this.#target === null
    this.leave()
    this.#target = target
    // What was saved once, or came from another tab, is missing on the server.
    if (this.isSaved && isLacking) this.#count(1)
    if (!this.isSaved) this.#depart(null)
    send()
    // Ours counts no answer. Others may answer each question with this one: asked at once, they would never come to an end.
    if (isFirst || target.isOurs) this.#ask()
    else this.#askLater(target)
    this.#listener(null)
  }

  /** No connection any more. */
  leave(): void {
    this.#since = this.unsavedSince
    this.#target = null
    this.#takeQueue()
    this.#flights = []
    this.#asked = this.#saved
    this.#cancelFlush()
    this.#cancelAsking()
  }

  /** Sends what is queued now. */
  flush(): void {
    this.#cancelFlush()
    const target = this.#target
    if (target === null || this.#queue.length === 0) return
    const update = mergeUpdates(this.#takeQueue())
    this.#flushedAt = this.#depart(update)
    target.sendUpdate(update, this.#sent)
    this.#askLater(target)
  }

  /** All there is leaves. @returns now */
  #depart(bytes: Uint8Array | null): number {
    const now = this.#clock.now()
    // Beyond that the newest is waited for.
    const last = this.#flights.length < MAX_FLIGHTS ? null : this.#flights.pop()
    const { since, at } = last ?? { since: this.#since ?? now, at: now }
    this.#flights.push({ version: this.#made, bytes: last ? null : bytes, since, at })
    this.#since = null
    this.#sent = this.#made
    return now
  }

  /** Sends everything and asks at once whether it is saved. */
  prove(): void {
    this.flush()
    this.#ask()
  }

  /** True when this is an upload coming back, which proves it saved, and nothing new. */
  isEcho(update: Uint8Array): boolean {
    const flight = this.#flights[0]
    if (!flight?.bytes || !equalFlat(flight.bytes, update)) return false
    this.confirm(flight.version)
    return true
  }

  /** The first `version` edits are saved. */
  confirm(version: number): void {
    if (version <= this.#saved || this.#target?.isWritable === false) return
    const confirmed = this.#flights.findLast((flight) => flight.version <= version)
    this.#flights = this.#flights.filter((flight) => flight.version > version)
    this.#saved = Math.min(version, this.#sent)
    // Nothing is to wake us up to find that there is nothing to ask.
    if (this.#flights.length === 0) this.#cancelAsking()
    else if (this.#target !== null) this.#askLater(this.#target)
    this.#listener(confirmed === undefined ? null : this.#clock.now() - confirmed.since)
  }

  #enqueue(update: Uint8Array): void {
    this.#queue.push(update)
    if (this.#queue.length - this.#merged < MAX_QUEUED) return
    this.#queue.push(mergeUpdates(this.#queue.splice(this.#merged)))
    this.#merged += 1
  }

  #takeQueue(): Uint8Array[] {
    const queue = this.#queue
    this.#queue = []
    this.#merged = 0
    return queue
  }

  #count(edits: number): void {
    if (this.#since === null) this.#since = this.#clock.now()
    this.#made += edits
  }

  #ask(): void {
    const target = this.#target
    if (target?.isWritable !== true || this.#sent <= this.#saved || this.#asked >= this.#sent) return
    this.#asked = this.#sent
    target.askForProof(this.#sent)
  }

  /** Asks when the oldest upload has waited for its echo long enough. */
  #askLater(target: UploadTarget): void {
    const oldest = this.#flights[0]
    if (oldest === undefined || this.#cancelProof !== null || target.isOurs) return
    const wait = oldest.at + QUESTION_DELAY_MS - this.#clock.now()
    if (wait > 0) {
      this.#cancelProof = this.#clock.after(wait, () => {
        this.#cancelProof = null
        this.#askLater(target)
      })
    } else if (this.#asked <= this.#saved) this.#ask() // or it was asked already; the answer brings us back here
  }

  #cancelAsking(): void {
    this.#cancelProof?.()
    this.#cancelProof = null
  }

  #schedule(): void {
    if (this.#cancelFlushing !== null) return
    const flush = (): void => {
      if (this.isFull) this.#cancelFlushing = later(this.#clock, DRAIN_POLL_MS, flush)
      else this.flush()
    }
    this.#cancelFlushing = later(this.#clock, this.#wait(), flush)
  }

  #cancelFlush(): void {
    this.#cancelFlushing?.()
    this.#cancelFlushing = null
  }

  /** Milliseconds; 0 or less: at the end of this turn. */
  #wait(): number {
    if (this.#flushDelay !== 'auto') return this.#flushDelay
    const gap = Math.max(MIN_GAP_MS, Math.min(MAX_GAP_MS, (this.#target?.roundTrip ?? 0) * GAP_PER_ROUND_TRIP))
    return this.#flushedAt + gap - this.#clock.now()
  }
}
