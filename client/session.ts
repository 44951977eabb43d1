import type { Decoder } from 'lib0/decoding'
import { createDecoder, hasContent, readVarString, readVarUint, readVarUint8Array } from 'lib0/decoding'
import type { Encoder } from 'lib0/encoding'
import { createEncoder, toUint8Array, writeUint8Array } from 'lib0/encoding'
import { applyAwarenessUpdate } from 'y-protocols/awareness'
import type { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import { applyUpdate, decodeUpdate, encodeStateAsUpdate, encodeStateVector } from 'yjs'
import { FEATURE_DURABLE, HELLO_TYPE } from '../shared/wire/hello.ts'
import type { Changes } from './changes.ts'
import type { ClientClock } from './environment.ts'
import type { Link } from './link.ts'
import type { CompleteOptions } from './options.ts'
import type { Presence } from './presence.ts'
import type { Progress } from './progress.ts'
import { report } from './report.ts'
import type { AckLevel, Scope } from './status.ts'
import type { Uploads, UploadTarget } from './uploads.ts'
import * as wire from './wire.ts'

/** Milliseconds a server has, after its answer, to ask what it lacks itself. */
const QUESTION_MS = 1_000
/** Milliseconds our presence waits for that question, to leave with the answer. */
const ARRIVAL_MS = 100
/** No structs, no deletions. */
const EMPTY_UPDATE_BYTES = 2

/** Who said something. */
export type Source = 'server' | 'tab'

/** Reads the rest of a message; what is written into `reply()` goes back to where the message came from. */
export type MessageReader = (type: number, decoder: Decoder, reply: () => Encoder, from: Source) => boolean

/** Who uses a session, and is told what the server says. */
export interface SessionUser {
  send(message: Uint8Array): void
  onSynced(): void
  /** @param isGranted it was said as the answer to a token; else it shows in what the server does */
  onScope(scope: Scope, isGranted: boolean): void
  onRefused(reason: string): void
  onRoundTrip(milliseconds: number): void
  /** What was said cannot be read. */
  onFailure(error: unknown): void
  readonly changes: Pick<Changes, 'sendingAll' | 'received' | 'told'>
}

export interface SessionParts {
  readonly doc: Doc
  readonly awareness: Awareness
  /** Marks what came from others, in the events of document and presence. */
  readonly owner: object
  readonly clock: ClientClock
  readonly uploads: Uploads
  readonly presence: Presence
  readonly link: Link
  readonly progress: Pick<Progress<unknown>, 'scope'>
  /** `multiplex`: the server speaks Hocuspocus' dialect. */
  readonly options: Pick<CompleteOptions, 'multiplex'>
}

/** An update that is counted and has not been confirmed. */
interface Upload {
  /** Number of the last edit in it. */
  readonly version: number
  /** `bytesSent` after it. */
  readonly sent: number
}

interface Question {
  readonly at: number
  /** `bytesSent` before it: what an answer proves to have arrived. */
  readonly sent: number
  /** Whether the answer comes at once, so that it tells how long a round trip takes. Its time counts once. */
  isQuick: boolean
}

/** One document's conversation with the server, and with the other tabs as far as it is the same. */
export class Session implements UploadTarget {
  readonly #parts: SessionParts
  readonly #user: SessionUser
  /** Both are kept between connections, until another server's first message says otherwise. */
  #level: AckLevel = 'none'
  #isOurs = false
  /** Those of this connection, oldest first. */
  #uploads: Upload[] = []
  /** Whether the server has said anything on this connection. */
  #isHeard = false
  #hasBegun = false
  /** What the server has, if it asked while the device was still being read: some ask once. */
  #early: Uint8Array | null = null
  /** Whether the server has been told what it lacks, so that edits follow as they are made. */
  #isLive = false
  #roundTrip: number | null = null
  /** SyncStep1 messages not answered yet: for each, the edit its answer proves received; null: none. */
  #requests: (number | null)[] = []
  /** Those without an answer, oldest first. */
  #questions: Question[] = []
  #cancelTelling: (() => void) | null = null
  #source: Source | null = null

  constructor(parts: SessionParts, user: SessionUser) {
    this.#parts = parts
    this.#user = user
  }

  get level(): AckLevel {
    return this.#level
  }

  get bufferedAmount(): number {
    return this.#parts.link.socket?.bufferedAmount ?? 0
  }

  get isWritable(): boolean {
    return this.#parts.progress.scope === 'read-write'
  }

  /** Scriptorium, which answers probes, and says by itself what is saved of the updates it is sent. */
  get isOurs(): boolean {
    return this.#isOurs
  }

  /** The first words on this connection have been said. */
  get hasBegun(): boolean {
    return this.#hasBegun
  }

  get isLive(): boolean {
    return this.#isLive
  }

  /** Whose update is being applied right now. */
  get source(): Source | null {
    return this.#source
  }

  /** Milliseconds; null before the first answer. */
  get roundTrip(): number | null {
    return this.#roundTrip
  }

  /** Says the first words on a new connection. */
  begin(isReturn: boolean): void {
    this.#hasBegun = true
    this.request(null, true)
    // It goes with our answer to the server's question, when we know whether it takes both in one frame.
    this.#parts.presence.arrive(isReturn, ARRIVAL_MS)
    if (this.#early) this.#upload(this.#early)
  }

  /** What the other tabs are told first: they get everything, and are asked for everything. */
  introduction(): Uint8Array[] {
    const { doc, presence } = this.#parts
    const state = encodeStateAsUpdate(doc)
    return [wire.syncStep1(encodeStateVector(doc)), wire.syncStep2(state), wire.queryPresence, ...presence.messages()]
  }

  /** Asks for everything we lack. */
  request(proves: number | null, isQuick = false): void {
    this.#ask(isQuick)
    this.#requests.push(proves)
    this.#user.send(wire.syncStep1(encodeStateVector(this.#parts.doc)))
  }

  /** The connection is gone. */
  end(): void {
    this.#hasBegun = false
    this.#early = null
    this.#isLive = false
    this.#isHeard = false
    this.#cancelTelling?.()
    this.#cancelTelling = null
    this.#requests = []
    this.#questions = []
    this.#uploads = []
    this.#parts.uploads.leave()
  }

  /** Only when `isOurs`: asks for any answer. */
  askForSign(): void {
    const { uploads } = this.#parts
    this.#ask(uploads.isSaved)
    this.#user.send(wire.probe(uploads.saved))
  }

  sendUpdate(update: Uint8Array, version: number): void {
    this.#tell([this.isOurs ? wire.countedUpdate(update) : wire.syncUpdate(update)])
    // Whoever looks on may have ended the connection.
    if (this.isOurs && this.#isLive) this.#uploads.push({ version, sent: this.#parts.link.bytesSent })
  }

  /** A token that replaces the last one, for servers that have said, on this connection, that they know such a message. */
  sendToken(token: string): void {
    if (this.#parts.options.multiplex || (this.#isHeard && this.isOurs)) this.#user.send(wire.auth(token))
  }

  askForProof(version: number): void {
    if (!this.isOurs) return this.request(version)
    this.#ask(false)
    this.#user.send(wire.probe(version))
  }

  /** Reads everything in a frame. @returns what is to be sent back */
  receive(data: Uint8Array, from: Source, read: MessageReader): Uint8Array | null {
    const decoder = createDecoder(data)
    let encoder = null as Encoder | null // most messages need none
    const reply = (): Encoder => (encoder ??= createEncoder())
    while (hasContent(decoder)) {
      const type = readVarUint(decoder)
      if (from === 'server') this.#recognise(type)
      const isKnown = read(type, decoder, reply, from)
      // Whoever looks on may have ended the connection, and with it what the rest was said to.
      if (!isKnown || (from === 'server' && !this.#isHeard)) break
    }
    const said = encoder && toUint8Array(encoder)
    return said && said.length > 1 ? said : null // a handler that has nothing to say may have written its number
  }

  /** Our server's first message on a connection is a hello; nobody else ever sends one. */
  #recognise(type: number): void {
    if (this.#isHeard) return
    this.#isHeard = true
    this.#isOurs = type === HELLO_TYPE
    if (!this.#isOurs) this.#level = 'received'
  }

  /** What every y-websocket client understands. */
  readonly read: MessageReader = (type, decoder, reply, from) => {
    switch (type) {
      case wire.messageSync:
        this.#readSync(decoder, reply, from)
        return true
      case wire.messageAwareness:
        this.#applyPresence(readVarUint8Array(decoder))
        return true
      case wire.messageQueryAwareness:
        writeUint8Array(reply(), this.#parts.presence.everybody())
        return true
      default:
        return from === 'server' && this.#readServerMessage(type, decoder)
    }
  }

  #readServerMessage(type: number, decoder: Decoder): boolean {
    switch (type) {
      case wire.messageAuth:
        this.#readAuth(decoder)
        return true
      case wire.messageSyncStatus:
        // Acknowledgements are not counted: which upload one is for can be known by a question only.
        if (!this.#parts.options.multiplex) return false // elsewhere the number may mean anything
        if (readVarUint(decoder) === 0) this.#user.onScope('readonly', false)
        return true
      default:
        return this.#isOurs && this.#readOurs(type, decoder)
    }
  }

  /** What only our server says: nothing that anybody else says under these numbers is a proof. */
  #readOurs(type: number, decoder: Decoder): boolean {
    if (type !== HELLO_TYPE && type !== wire.messageProbe && type !== wire.messageConfirmation) return false
    const payload = createDecoder(readVarUint8Array(decoder))
    const number = readVarUint(payload) // of a hello the version: what is known of 1 holds for all
    if (type === HELLO_TYPE) {
      this.#measure() // it is said within 10 ms, whatever has to be loaded before the rest
      this.#level = readVarUint(payload) & FEATURE_DURABLE ? 'durable' : 'received'
    } else if (type === wire.messageConfirmation) this.#confirm(number)
    else {
      this.#answered()
      this.#parts.uploads.confirm(number)
    }
    return true
  }

  #readSync(decoder: Decoder, reply: () => Encoder, from: Source): void {
    const type = readVarUint(decoder)
    const payload = readVarUint8Array(decoder)
    if (type === 0) {
      if (from === 'tab') writeUint8Array(reply(), wire.syncStep2(encodeStateAsUpdate(this.#parts.doc, payload)))
      else this.#upload(payload)
    } else if (from === 'tab') this.#apply(payload, from)
    else if (type === 1) this.#takeState(payload)
    else if (!this.#parts.uploads.isEcho(payload)) this.#apply(payload, from)
  }

  /** Everything the server lacks. */
  #upload(vector: Uint8Array): void {
    if (!this.#hasBegun) return void (this.#early = vector)
    const { uploads, doc } = this.#parts
    this.#isLive = true
    this.#cancelTelling?.()
    this.#cancelTelling = null
    this.#user.changes.sendingAll()
    const difference = encodeStateAsUpdate(doc, vector)
    // Our server does not wait for an answer that says nothing.
    const isNeeded = difference.length > EMPTY_UPDATE_BYTES || !this.isOurs
    // The first byte counts the structs; deletions are all sent each time, needed or not.
    uploads.cover(difference[0] !== 0, this, () => this.#tell(isNeeded ? [wire.syncStep2(difference)] : []))
  }

  /** With our presence, if that waits to be told. */
  #tell(messages: Uint8Array[]): void {
    const { presence, options } = this.#parts
    presence.ride(messages)
    // Others read no further than the first message of a frame.
    const isJoint = this.isOurs && !options.multiplex && messages.length > 1
    for (const frame of isJoint ? [wire.join(messages)] : messages) this.#user.send(frame)
  }

  #takeState(update: Uint8Array): void {
    this.#apply(update, 'server')
    this.#answered()
    if (!this.#hasBegun) return // whoever looks on has ended the connection
    const proven = this.#requests.shift()
    if (proven) this.#parts.uploads.confirm(proven)
    this.#user.onSynced()
  }

  /** The document is in sync. A server that never asks what it lacks is told all the same. */
  awaitQuestion(): void {
    if (this.#isLive || !this.#hasBegun) return
    this.#cancelTelling ??= this.#parts.clock.after(QUESTION_MS, () => this.#tellUnasked())
  }

  #tellUnasked(): void {
    this.#isLive = true
    const { uploads, doc } = this.#parts
    const { isSaved } = uploads
    uploads.cover(false, this, () => isSaved || this.sendUpdate(encodeStateAsUpdate(doc), uploads.made))
  }

  #applyPresence(states: Uint8Array): void {
    const { awareness, owner } = this.#parts
    try {
      applyAwarenessUpdate(awareness, states, owner)
    } catch (error) {
      if (wire.isPresence(states)) report(error)
      else this.#user.onFailure(error)
    }
  }

  #apply(update: Uint8Array, from: Source): void {
    this.#source = from
    try {
      applyUpdate(this.#parts.doc, update, this.#parts.owner)
    } catch (error) {
      decodeUpdate(update) // throws as well when it cannot be read: then the document lacks what is in it
      report(error) // Yjs calls the application's observers, too, and is done when one of them throws
    } finally {
      this.#source = null
    }
    const { pendingStructs, pendingDs } = this.#parts.doc.store
    if (from === 'server') this.#user.changes.received(update)
    else if (pendingStructs ?? pendingDs) this.#user.changes.told(update)
  }

  /** `02`: granted. Else denied, by y-websocket servers with `00`. */
  #readAuth(decoder: Decoder): void {
    const type = readVarUint(decoder)
    const text = hasContent(decoder) ? readVarString(decoder) : ''
    if (type === 2) this.#granted(text === 'readonly' ? 'readonly' : 'read-write')
    else this.#user.onRefused(text)
  }

  #granted(scope: Scope): void {
    const wasRefused = this.#isLive && !this.isWritable
    this.#user.onScope(scope, true)
    // What was refused has to be sent again, which a new conversation does.
    if (wasRefused && this.isWritable) this.#parts.link.drop()
  }

  /** So many more are saved. */
  #confirm(count: number): void {
    const newest = this.#uploads.splice(0, count).pop()
    if (!newest) return
    this.#parts.link.arrived(newest.sent)
    this.#parts.uploads.confirm(newest.version)
  }

  #ask(isQuick: boolean): void {
    this.#questions.push({ at: this.#parts.clock.now(), sent: this.#parts.link.bytesSent, isQuick })
  }

  #measure(): void {
    const [question] = this.#questions
    if (!question?.isQuick) return
    question.isQuick = false
    this.#roundTrip = this.#parts.clock.now() - question.at
    this.#user.onRoundTrip(this.#roundTrip)
  }

  #answered(): void {
    this.#measure()
    const question = this.#questions.shift()
    if (question) this.#parts.link.arrived(question.sent)
  }
}
