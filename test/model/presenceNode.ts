import { removeAwarenessStates } from 'y-protocols/awareness'
import { defaultLimits } from '../../shared/limits.ts'
import { readAwareness } from '../../shared/wire/awareness.ts'
import { Presence } from '../../server/document/presence.ts'
import { PresenceExchange } from '../../server/document/presenceExchange.ts'
import type { Message } from '../../server/engine/engine.ts'
import type { Random } from '../../client/testing/random.ts'
import { PresenceClient } from './presenceRoom.ts'
import type { Wire } from './presenceRoom.ts'

/** Clients renew their state this often, and drop others that have not been renewed for so long (y-protocols). */
const RENEW_AFTER_MS = 15_000
const OUTDATED_AFTER_MS = 30_000
/** Silence after which the transport closes a socket. Milliseconds. */
const REAPED_AFTER_MS = 25_000

/** A client that loses its connection to one node and may come back at another; its clock is the test's. */
export class RovingClient extends PresenceClient {
  node: PresenceNode | null = null
  /** When each of the others was last news. */
  readonly renewals = new Map<number, number>()

  constructor(id: number, now: () => number) {
    super(id, true)
    this.awareness.on('update', ({ added, updated }: { added: number[]; updated: number[] }) => {
      for (const client of [...added, ...updated]) this.renewals.set(client, now())
    })
  }

  /** An older state of its own under a raised clock has replaced its newest one. */
  get isReverted(): boolean {
    return this.awareness.getLocalState()?.['value'] !== (this.value === 0 ? undefined : this.value)
  }

  tick(now: number): void {
    if (now - this.renewedAt >= RENEW_AFTER_MS) this.renew(now)
    const outdated = [...this.awareness.getStates().keys()].filter(
      (id) => id !== this.id && now - (this.renewals.get(id) ?? now) >= OUTDATED_AFTER_MS,
    )
    if (outdated.length > 0) removeAwarenessStates(this.awareness, outdated, 'timeout')
  }
}

interface NodeOptions {
  readonly name: string
  /** Every machine's clock has an origin of its own. Milliseconds. */
  readonly origin: number
  /** The test's time, which clients and sockets live by. */
  readonly time: () => number
  readonly random: Random
  readonly publish: (from: PresenceNode, kind: string, bytes: Uint8Array) => void
  /** Somebody has sent back what it was told of this client, and nothing else. */
  readonly onEcho: (client: number) => void
}

/** One node's room of the document. */
export class PresenceNode {
  readonly wires = new Map<Wire, RovingClient>()
  /** What is under way to it. */
  readonly inbox: Message[] = []
  readonly strikes: string[] = []
  presence: Presence
  exchange: PresenceExchange
  /** The document is loaded. */
  isOpen = false
  readonly #options: NodeOptions

  constructor(options: NodeOptions) {
    this.#options = options
    this.presence = new Presence(defaultLimits, () => {})
    this.exchange = this.#connect(this.presence)
  }

  get name(): string {
    return this.#options.name
  }

  now(): number {
    return this.#options.origin + this.#options.time()
  }

  open(): void {
    if (this.isOpen) return
    this.presence = new Presence(defaultLimits, () => {})
    this.exchange = this.#connect(this.presence)
    this.isOpen = true
    this.exchange.joined()
  }

  #connect(presence: Presence): PresenceExchange {
    const { name: node, random, publish } = this.#options
    return new PresenceExchange({
      presence,
      node,
      publish: (kind, bytes) => publish(this, kind, bytes),
      clock: { now: () => this.now(), endOfTurn: () => {}, after: () => () => {} },
      limits: defaultLimits,
      random: () => random.next(),
    })
  }

  /** The document is dropped when nobody uses it. */
  unload(): void {
    if (!this.isOpen || this.wires.size > 0) return
    this.beat()
    this.exchange.end()
    this.isOpen = false
    this.inbox.length = 0
  }

  hear(): void {
    const message = this.inbox.shift()
    if (message === undefined || !this.isOpen) return
    if (this.exchange.receive(message, this.now()) !== 'fine') this.strikes.push(message.kind)
  }

  /** @returns what its clients are told */
  beat(): Uint8Array | null {
    if (!this.isOpen) return null
    const changes = this.presence.takeChanges()
    this.exchange.changed()
    if (changes === null) return null
    for (const wire of this.wires.keys()) {
      if (wire.brokenAt !== null) continue
      if (!wire.isSpared(changes)) wire.down.push(changes.update)
      const all = this.presence.takeReturn(wire) ? this.presence.encodeAll() : null
      if (all !== null) wire.down.push(all)
    }
    return changes.update
  }

  say(wire: Wire): void {
    const frame = wire.up.shift()
    if (frame === undefined) return
    const states = readAwareness(frame)
    const verdict = this.presence.receive(wire, states, frame.length, this.now())
    if (verdict === 'strike') this.strikes.push(Buffer.from(frame).toString('hex'))
    const [only] = states
    if (states.length === 1 && only !== undefined && only.client !== this.wires.get(wire)?.id)
      this.#options.onEcho(only.client)
  }

  /** Every second. */
  tick(): void {
    if (!this.isOpen) return
    const oldest = this.#options.time() - REAPED_AFTER_MS
    for (const wire of this.wires.keys()) if (wire.brokenAt !== null && wire.brokenAt <= oldest) this.close(wire)
    this.presence.sweep(this.now())
    this.exchange.tick(this.now())
  }

  /** Takes all that its clients have said, and other nodes. */
  takeAll(): void {
    for (const wire of this.wires.keys()) this.#sayAll(wire)
    while (this.inbox.length > 0) this.hear()
  }

  #sayAll(wire: Wire): void {
    while (wire.brokenAt === null && wire.up.length > 0) this.say(wire)
  }

  close(wire: Wire): void {
    this.wires.delete(wire)
    this.presence.leave(wire, this.now())
  }

  /** What its clients are told now, by client id. */
  told(): Map<number, unknown> {
    const all = this.presence.encodeAll()
    const states = all === null ? [] : readAwareness(all)
    return new Map(states.map(({ client, json }) => [client, JSON.parse(Buffer.from(json).toString()) as unknown]))
  }
}

/** A ping that cannot be answered closes the socket. */
export function answerChallenges(node: PresenceNode, wire: Wire): void {
  const challenges = wire.challenges.splice(0)
  if (challenges.length > 0 && wire.brokenAt !== null) node.close(wire)
  for (const answer of challenges) answer(wire.brokenAt === null)
}

/** There is something to be done without any time passing. */
export function isBusy(node: PresenceNode): boolean {
  if (node.inbox.length > 0 || (node.isOpen && node.presence.changed)) return true
  for (const wire of node.wires.keys()) {
    if (wire.challenges.length > 0 || (wire.brokenAt === null && wire.up.length > 0)) return true
  }
  return false
}
