import { expect } from 'vitest'
import * as Y from 'yjs'
import type { ScriptoriumError } from '../../shared/errors.ts'
import {
  countedUpdate,
  MessageType,
  probeAnswer,
  syncStep1,
  syncStep2,
  syncUpdate,
} from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { encodeString } from '../../shared/wire/writer.ts'
import type { Dialect, Link } from '../../server/document/link.ts'
import { encodeFrame } from '../../server/transport/frame.ts'
import { decodeMessages } from './frames.ts'
import type { World } from './world.ts'

/** The server's end of a client's connection, as `World` and a test connect it. */
export interface Wiring {
  /** Hands the server one message of the client, without address; closes the link when the server throws. */
  receive(message: Uint8Array): void
  drained(): void
  end(): void
}

export type WireUp = (link: SimLink, client: SimClient) => Wiring

/** A socket without a network: frames are decoded, judged against the log, and kept until the client takes them. */
export class SimLink implements Link {
  readonly remote = 'sim'
  readonly inbox: Uint8Array[] = []
  readonly #holders = new Set<object>()
  readonly #judge: (message: Uint8Array) => void
  #closed = false
  congested = false
  error: ScriptoriumError | null = null
  onClose: () => void = () => {}

  constructor(judge: (message: Uint8Array) => void) {
    this.#judge = judge
  }

  get isPaused(): boolean {
    return this.#holders.size > 0
  }

  get isClosed(): boolean {
    return this.#closed
  }

  encode(prefix: Uint8Array, message: Uint8Array): Uint8Array {
    return encodeFrame(prefix, message)
  }

  send(frame: Uint8Array): void {
    if (this.#closed) return
    for (const message of decodeMessages(frame)) {
      this.#judge(message)
      this.inbox.push(message)
    }
  }

  pause(holder: object): void {
    this.#holders.add(holder)
  }

  resume(holder: object): void {
    this.#holders.delete(holder)
  }

  fail(error: ScriptoriumError): void {
    this.error ??= error
    this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.onClose()
    this.#holders.clear() // as the transport does, or the client's own close frame would never be read
  }

  challenge(): Promise<boolean> {
    return Promise.resolve(!this.#closed)
  }
}

/** What a client has been told and has told on one connection. */
interface Tally {
  submitted: number
  acknowledged: number
  acknowledgementsSent: number
  /** The first so many counted updates were said to be durable. */
  confirmed: number
  step1Received: number
  step2Received: number
  probesSent: number
  probesAnswered: number
}

/** The client side of both protocols around a real `Y.Doc`, with everything under way in the test's hands. */
export class SimClient {
  readonly doc = new Y.Doc()
  readonly document: string
  readonly address: string | null
  readonly dialect: Dialect
  readonly counts: boolean
  readonly outbox: Uint8Array[] = []
  readonly #world: World
  readonly #wire: WireUp
  #wiring: Wiring | null = null
  link: SimLink | null = null
  generation = 0
  tally: Tally = emptyTally()
  /** Whether the server was given something on this connection that can never be saved, and never proved saved. */
  hasOrphan = false
  /** Updates handed over on this connection, and how many of them stood before each unanswered probe. */
  #said: Uint8Array[] = []
  #probed: number[] = []
  /** How many had been handed over when each counted one had. */
  #counted: number[] = []

  /**
   * @param address in Hocuspocus' framing; null for y-websocket
   * @param isOurs as the client of this project, which is told what is durable by count
   */
  constructor(
    world: World,
    wire: WireUp,
    about: { document: string; address: string | null; isOurs?: boolean; id: number },
  ) {
    this.#world = world
    this.#wire = wire
    this.document = about.document
    this.address = about.address
    this.dialect = dialectOf(about.address)
    this.counts = about.isOurs ?? false
    this.doc.clientID = about.id
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'server' && this.link !== null) this.outbox.push(this.#updateMessage(update))
    })
  }

  #updateMessage(update: Uint8Array): Uint8Array {
    return this.counts ? countedUpdate(update) : syncUpdate(update)
  }

  get isConnected(): boolean {
    return this.link !== null && !this.link.isClosed && this.generation === this.#world.generation
  }

  connect(): void {
    if (this.isConnected) return
    this.disconnect()
    const link = new SimLink((message) => this.#judge(message))
    this.link = link
    this.generation = this.#world.generation
    this.tally = emptyTally()
    this.hasOrphan = false
    this.#said = []
    this.#probed = []
    this.#counted = []
    this.#wiring = this.#wire(link, this)
    link.onClose = () => this.#wiring?.end()
    this.outbox.push(syncStep1(Y.encodeStateVector(this.doc)))
  }

  disconnect(): void {
    if (this.link !== null && this.generation === this.#world.generation) this.link.close()
    this.link = null
    this.#wiring = null
    this.outbox.length = 0
  }

  requestState(): void {
    if (this.isConnected) this.outbox.push(syncStep1(Y.encodeStateVector(this.doc)))
  }

  probe(): void {
    if (this.isConnected) this.outbox.push(probeAnswer(new Uint8Array([this.tally.probesSent++ & 0x7f])))
  }

  /** Hands the server up to `count` messages, unless it has stopped reading. */
  deliverUp(count: number): void {
    for (let left = count; left > 0 && this.isConnected && this.link?.isPaused === false; left -= 1) {
      const message = this.outbox.shift()
      if (message === undefined) return
      this.#count(message)
      this.#wiring?.receive(message)
    }
  }

  /** A message outside the protocol's order; the client does not count on it. */
  inject(message: Uint8Array, isOrphan = false): void {
    this.hasOrphan ||= isOrphan
    if (this.isConnected && this.counts) this.#note(message)
    if (this.isConnected) this.#wiring?.receive(message)
  }

  deliverDown(count: number): void {
    for (let left = count; left > 0 && this.isConnected; left -= 1) {
      const message = this.link?.inbox.shift()
      if (message === undefined) return
      this.#take(message)
    }
  }

  drain(): void {
    if (this.link === null || !this.link.congested) return
    this.link.congested = false
    if (this.isConnected) this.#wiring?.drained()
  }

  /** Acknowledgements due on this connection: all submissions but answers to questions the server asked on its own. */
  get acknowledgementsDue(): number {
    return this.tally.submitted - (this.tally.step1Received - this.tally.step2Received)
  }

  /** The message without the address. */
  #open(message: Uint8Array): Reader {
    const reader = new Reader(message)
    if (this.address !== null) expect(reader.string()).toBe(this.address)
    return reader
  }

  /** P1, at the moment a frame leaves the document. */
  #judge(message: Uint8Array): void {
    const reader = this.#open(message)
    const type = reader.varUint()
    if (type === MessageType.sync && reader.varUint() > 0) {
      this.#world.expectDurable(this.document, reader.buffer(), 'a relayed update')
    } else if (type === MessageType.syncStatus) this.#judgeAcknowledgement()
    else if (type === MessageType.probe) this.#judgeProof()
    else if (type === MessageType.confirmation) this.#judgeConfirmation(new Reader(reader.buffer()).varUint())
  }

  #count(message: Uint8Array): void {
    if (new Reader(message).varUint() === MessageType.probe) this.#probed.push(this.#said.length)
    if (this.#note(message)) this.tally.submitted += 1
  }

  /** Whether it was an upload. */
  #note(message: Uint8Array): boolean {
    const reader = new Reader(message)
    const type = reader.varUint()
    const isCounted = type === MessageType.countedUpdate
    if (!isCounted && (type !== MessageType.sync || reader.varUint() === 0)) return false
    this.#said.push(reader.buffer())
    if (isCounted) this.#counted.push(this.#said.length)
    return true
  }

  get counted(): number {
    return this.#counted.length
  }

  #judgeAcknowledgement(): void {
    this.tally.acknowledgementsSent += 1
    const durable = this.#said.filter((update) => this.#world.isDurable(this.document, update)).length
    expect(this.tally.acknowledgementsSent, 'acknowledgements of what is durable').toBeLessThanOrEqual(durable)
  }

  #judgeConfirmation(count: number): void {
    expect(count, 'a confirmation says something').toBeGreaterThan(0)
    this.tally.confirmed += count
    const { confirmed } = this.tally
    expect(confirmed, 'uploads that are confirmed').toBeLessThanOrEqual(this.counted)
    for (const update of this.#said.slice(0, this.#counted[confirmed - 1]))
      this.#world.expectDurable(this.document, update, 'a confirmation')
  }

  #judgeProof(): void {
    const before = this.#said.slice(0, this.#probed.shift() ?? 0)
    for (const update of before) this.#world.expectDurable(this.document, update, 'a probe answered early')
  }

  #take(message: Uint8Array): void {
    const reader = this.#open(message)
    const type = reader.varUint()
    if (type === MessageType.sync) this.#takeSync(reader)
    else if (type === MessageType.syncStatus) this.tally.acknowledged += 1
    else if (type === MessageType.probe) this.tally.probesAnswered += 1
  }

  #takeSync(reader: Reader): void {
    const type = reader.varUint()
    const payload = reader.buffer()
    if (type === 0) {
      this.tally.step1Received += 1
      this.outbox.push(syncStep2(Y.encodeStateAsUpdate(this.doc, payload)))
      return
    }
    if (type === 1) this.tally.step2Received += 1
    Y.applyUpdate(this.doc, payload, 'server')
  }
}

function emptyTally(): Tally {
  return {
    submitted: 0,
    acknowledged: 0,
    acknowledgementsSent: 0,
    confirmed: 0,
    step1Received: 0,
    step2Received: 0,
    probesSent: 0,
    probesAnswered: 0,
  }
}

function dialectOf(address: string | null): Dialect {
  const prefix = addressPrefix(address)
  return address === null
    ? { protocol: 'y-websocket', key: '', prefix, acknowledges: false }
    : { protocol: 'hocuspocus', key: address, prefix, acknowledges: true }
}

function addressPrefix(address: string | null): Uint8Array {
  return address === null ? new Uint8Array() : encodeString(address)
}
