import type { Clock } from './clock.ts'
import { perfectConditions } from './conditions.ts'
import type { NetworkConditions } from './conditions.ts'
import { DelayLine } from './delayLine.ts'
import type { Random } from './random.ts'

/** How a link ended: the code and reason of a WebSocket close; 1006 when no close frame came. */
export interface LinkClose {
  readonly code: number
  readonly reason: string
}

/** What happens at one end. Called on the clock's turns, never from within a call to the end. */
export interface LinkListener {
  onMessage(message: Uint8Array): void
  /** Once, and nothing after it. */
  onClose(close: LinkClose): void
}

/** One of the two ends of a link. */
export interface LinkEnd {
  /** null: what happens here is noticed by nobody. */
  listener: LinkListener | null
  readonly state: 'open' | 'closing' | 'closed'
  /** Bytes accepted and not sent, as `WebSocket.bufferedAmount`. */
  readonly bufferedAmount: number
  /** Sends a copy. On an end that is not open any more: nothing happens, as on a WebSocket. */
  send(message: Uint8Array): void
  /** Says goodbye after everything sent before; `onClose` follows when the other end has answered. Default code: none, 1005. */
  close(code?: number, reason?: string): void
  /** Ends the link as a process does that is killed: both ends hear 1006, what is under way is lost. */
  destroy(): void
}

/** What became of a link: nothing yet, nothing ever again (and neither side was told), or its end. */
type Fate = 'carrying' | 'silent' | 'gone'

const LOST: LinkClose = { code: 1006, reason: '' }
/** RFC 6455: what a close without a code reads as. */
const NO_CODE = 1005

export interface LinkPairOptions {
  readonly clock: Clock
  readonly random: Random
  /** Asked for every message. Default: a perfect network. */
  readonly conditions?: (() => NetworkConditions) | undefined
}

/** A WebSocket connection without a network: two ends that exchange whole messages, in order, later. */
export class LinkPair {
  /** The end that asked for the link, and the end that was asked. */
  readonly ends: readonly [LinkEnd, LinkEnd]
  readonly #ends: readonly [End, End]
  readonly #random: Random
  readonly #conditions: () => NetworkConditions
  #fate: Fate = 'carrying'

  constructor({ clock, random, conditions = () => perfectConditions }: LinkPairOptions) {
    this.#random = random
    this.#conditions = conditions
    const line = (): DelayLine => new DelayLine({ clock, random, conditions })
    this.#ends = [new End(this, line()), new End(this, line())]
    this.ends = this.#ends
    this.#ends[0].peer = this.#ends[1]
    this.#ends[1].peer = this.#ends[0]
  }

  get fate(): Fate {
    return this.#fate
  }

  /** The link ends now, as by a reset: what is under way is lost, and both ends hear of it (1006). */
  cut(): void {
    if (this.#fate === 'gone') return
    this.#fate = 'gone'
    for (const end of this.#ends) end.loseEverything()
    for (const end of this.#ends) end.hear(LOST)
  }

  /** Nothing arrives any more, what is under way included, and nobody is told: both ends stay as they are. */
  goSilent(): void {
    if (this.#fate !== 'carrying') return
    this.#fate = 'silent'
    for (const end of this.#ends) end.loseEverything()
  }

  /** For the network: runs `open` when the answer to the handshake is there, before anything the second end sends. */
  answerHandshake(open: () => void): void {
    this.#ends[1].answerHandshake(open)
  }

  /** For the ends: whether the next message arrives. */
  survives(): boolean {
    const { cutProbability } = this.#conditions()
    if (this.#fate !== 'carrying') return false
    if (cutProbability === 0 || !this.#random.chance(cutProbability)) return true
    this.cut()
    return false
  }

  /** For the ends: both have closed. */
  finish(): void {
    if (this.#ends.every((end) => end.state === 'closed')) this.#fate = 'gone'
  }
}

class End implements LinkEnd {
  listener: LinkListener | null = null
  peer: End | null = null
  readonly #link: LinkPair
  /** From here to the peer. */
  readonly #line: DelayLine
  #state: LinkEnd['state'] = 'open'
  /** Sent into a link that is silent: what a real socket would go on holding. Bytes. */
  #stuck = 0

  constructor(link: LinkPair, line: DelayLine) {
    this.#link = link
    this.#line = line
  }

  get state(): LinkEnd['state'] {
    return this.#state
  }

  get bufferedAmount(): number {
    return this.#line.unsent + this.#stuck
  }

  send(message: Uint8Array): void {
    if (this.#state !== 'open') return
    if (!this.#link.survives()) {
      this.#stuck += message.length
      return
    }
    const copy = message.slice()
    this.#line.push(copy.length, () => this.peer?.receive(copy))
  }

  close(code: number = NO_CODE, reason = ''): void {
    if (this.#state !== 'open') return
    this.#state = 'closing'
    if (this.#link.fate === 'carrying') this.#line.push(0, () => this.peer?.answerClose({ code, reason }))
  }

  destroy(): void {
    this.#link.cut()
  }

  /** For the link. */
  answerHandshake(open: () => void): void {
    this.#line.push(0, open)
  }

  /** For the other end. */
  receive(message: Uint8Array): void {
    if (this.#state !== 'closed') this.listener?.onMessage(message)
  }

  /** For the other end, which has said goodbye. */
  answerClose(close: LinkClose): void {
    if (this.#state === 'closed') return
    if (this.#link.fate === 'carrying') this.#line.push(0, () => this.peer?.end(close))
    this.end(close)
  }

  /** For the link: everything under way from here is lost. */
  loseEverything(): void {
    this.#line.clear()
  }

  /** For the link: tells this end, on a turn of its own, that there is no link any more. */
  hear(close: LinkClose): void {
    this.#line.push(0, () => this.end(close))
  }

  /** For the link and the other end. */
  end(close: LinkClose): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#link.finish()
    this.listener?.onClose(close)
  }
}
