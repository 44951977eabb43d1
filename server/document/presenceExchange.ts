import { ScriptoriumError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { Clock } from '../clock.ts'
import type { Message } from '../engine/engine.ts'
import type { Presence } from './presence.ts'
import { encodeChallenge, encodePresenceMessage, readPresenceMessage } from './presenceMessage.ts'
import type { PresenceMessage } from './presenceMessage.ts'

/** Milliseconds between two lists of all our clients, on average; a third less or more. Repairs lost messages. */
const ANNOUNCE_EVERY_MS = 10_000
const JITTER = 1 / 3
/** Milliseconds between two answers to `who`, so that many nodes that start at once cost no list each. */
const ANSWER_EVERY_MS = 1_000
/** Milliseconds without a word after which a node is forgotten; when all are, nothing is announced any more. */
const FORGET_NODE_AFTER_MS = 60_000
/** Nodes listened to, per document. */
const MAX_NODES = 1_000
/** A list of a whole node's clients may be longer than what one client may send. */
const MAX_MESSAGES_IN_ONE = 4

export interface PresenceExchangeOptions {
  readonly presence: Presence
  /** `Engine.node`. */
  readonly node: string
  /** `Engine.publish` for this document. */
  readonly publish: (kind: string, bytes: Uint8Array) => void
  readonly clock: Clock
  readonly limits: Limits
  /** 0 ≤ result < 1; default: `Math.random`. Announcements are jittered, so that nodes do not all speak at once. */
  readonly random?: () => number
}

interface Heard {
  readonly sequence: number
  readonly at: number
}

/**
 * One document's presence among the nodes that serve it (rules N1 to N7 of SPEC.md). No I/O and no timers of its own.
 * While no other node is heard of it publishes `who` once, and what changes here.
 */
export class PresenceExchange {
  readonly #options: PresenceExchangeOptions
  readonly #random: () => number
  /** By node; late and repeated messages are dropped, and what they said is repaired by the next list. */
  readonly #heard = new Map<string, Heard>()
  #sequence = 0
  /** `Clock.now()` of the last list. */
  #announcedAt = -Infinity
  #announceAt: number
  /** Somebody asked for a list too soon after the last one. */
  #owesAnswer = false
  #ended = false

  constructor(options: PresenceExchangeOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    const now = options.clock.now()
    this.#announceAt = now + this.#jitter()
    const ask = (node: string, client: number, clock: number): void =>
      this.#publish('challenge', encodeChallenge({ client, clock, node }))
    options.presence.remote.share({ ask, retell: () => this.#publishAnswers() }, now)
  }

  /** Subscribed, or subscribed anew: asks the others who is there, and tells them who is here. */
  joined(): void {
    this.#publish('who', new Uint8Array(0))
    const own = this.#options.presence.remote.encodeOwn()
    if (hasStates(own)) this.#announce(own)
  }

  /**
   * Takes what another node has published. 'unknown': of a kind that is not about presence. 'malformed': nothing of it
   * was used. Never throws.
   */
  receive(message: Message, now: number): 'fine' | 'malformed' | 'unknown' {
    const read = this.#read(message)
    if (read === null) return 'unknown'
    if (read === 'malformed') return 'malformed'
    if (this.#ended || !this.#isNext(message.from, read.sequence, now)) return 'fine'
    this.#handle(message.from, read, now)
    this.#publishAnswers()
    return 'fine'
  }

  /** Once per beat, right after `Presence.takeChanges`, whatever that returned: publishes what concerns our own clients. */
  changed(): void {
    const own = this.#options.presence.remote.takeOwnChanges()
    if (own !== null) this.#publish('presence', own)
    this.#publishAnswers()
  }

  /** To be called every second, after `Presence.sweep`. */
  tick(now: number): void {
    for (const [node, { at }] of this.#heard) if (now - at >= FORGET_NODE_AFTER_MS) this.#heard.delete(node)
    this.#options.presence.remote.askAgain()
    if (this.#owesAnswer || (this.#heard.size > 0 && now >= this.#announceAt)) this.#announce()
  }

  /** `Sink.left`: all that the node spoke for are gone. */
  left(node: string, now: number): void {
    this.#options.presence.remote.leftNode(node, now)
  }

  /** To be called before unsubscribing: tells the others, if there are any, that nobody is here any more. Idempotent. */
  end(): void {
    if (!this.#ended && this.#heard.size > 0) this.#publish('present', NOBODY)
    this.#ended = true
  }

  #read(message: Message): PresenceMessage | 'malformed' | null {
    try {
      const read = readPresenceMessage(message)
      const most = MAX_MESSAGES_IN_ONE * this.#options.limits.maxMessageBytes
      return read !== null && message.bytes.length > most ? 'malformed' : read
    } catch (error) {
      if (error instanceof ScriptoriumError) return 'malformed'
      throw error
    }
  }

  #isNext(node: string, sequence: number, now: number): boolean {
    const heard = this.#heard.get(node)
    if (heard === undefined && this.#heard.size >= MAX_NODES) return false
    const isNext = sequence > (heard?.sequence ?? -1)
    this.#heard.set(node, { sequence: isNext ? sequence : (heard?.sequence ?? sequence), at: now })
    return isNext
  }

  #handle(from: string, message: PresenceMessage, now: number): void {
    const { remote } = this.#options.presence
    switch (message.kind) {
      case 'presence':
        return remote.hear(from, message.states, now)
      case 'present':
        return remote.hearAll(from, message.states, now)
      case 'raised':
        return remote.hearRaised(message.states)
      case 'who':
        return this.#answer(now)
      case 'challenge':
        if (message.node !== this.#options.node) return
        if (!remote.challenged(message.client, message.clock, now)) this.#answer(now)
    }
  }

  #answer(now: number): void {
    if (now - this.#announcedAt >= ANSWER_EVERY_MS) this.#announce()
    else this.#owesAnswer = true
  }

  #announce(own: Uint8Array = this.#options.presence.remote.encodeOwn()): void {
    this.#owesAnswer = false
    this.#announcedAt = this.#options.clock.now()
    this.#announceAt = this.#announcedAt + this.#jitter()
    this.#publish('present', own)
  }

  /** What other nodes need to hear at once, although nothing has changed here. */
  #publishAnswers(): void {
    const { remote } = this.#options.presence
    const retold = remote.takeRetold()
    if (retold !== null) this.#publish('presence', retold)
    const raised = remote.takeRaised()
    if (raised !== null && this.#heard.size > 0) this.#publish('raised', raised)
  }

  /**
   * Sequences go on where they were after a document was dropped and loaded again: they are milliseconds of our own
   * clock, unless there are more messages than that.
   */
  #publish(kind: PresenceMessage['kind'], body: Uint8Array): void {
    if (this.#ended) return
    this.#sequence = Math.max(this.#sequence + 1, Math.floor(this.#options.clock.now()))
    this.#options.publish(kind, encodePresenceMessage(this.#sequence, body))
  }

  #jitter(): number {
    return ANNOUNCE_EVERY_MS * (1 - JITTER + 2 * JITTER * this.#random())
  }
}

/** An awareness update about nobody. */
const NOBODY = new Uint8Array([0])

function hasStates(update: Uint8Array): boolean {
  return update[0] !== 0
}
