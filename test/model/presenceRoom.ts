import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { defaultLimits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import { encodeAwareness, readAwareness } from '../../shared/wire/awareness.ts'
import { Presence } from '../../server/document/presence.ts'
import type { PresenceChanges } from '../../server/document/presenceTable.ts'
import type { Speaker } from '../../server/document/presenceEntry.ts'

/** Clients renew their state this often (y-protocols). Milliseconds. */
const RENEW_AFTER_MS = 15_000
/** Silence after which the transport closes a socket: 16 s until the ping, 9 s until it is given up. Milliseconds. */
const REAPED_AFTER_MS = 25_000

interface AwarenessChange {
  readonly added: number[]
  readonly updated: number[]
  readonly removed: number[]
}

/** One connection of one client, with what is still under way in both directions. */
export class Wire implements Speaker {
  readonly up: Uint8Array[] = []
  readonly down: Uint8Array[] = []
  readonly openedAt: number
  /** When the client vanished without a word; null while it is there. */
  brokenAt: number | null = null
  challenges: ((alive: boolean) => void)[] = []

  readonly #wantsEcho: boolean

  /** @param wantsEcho false: it is not told what only it has said, as the client of this project */
  constructor(openedAt: number, wantsEcho = true) {
    this.openedAt = openedAt
    this.#wantsEcho = wantsEcho
  }

  isSpared({ speaker }: PresenceChanges): boolean {
    return speaker === this && !this.#wantsEcho
  }

  challenge(): Promise<boolean> {
    return new Promise((resolve) => this.challenges.push(resolve))
  }
}

/** A real y-protocols client that, as y-websocket does, sends back whatever it is told. */
export class PresenceClient {
  readonly awareness: Awareness
  wire: Wire | null = null
  renewedAt = 0
  value = 0
  /** Whether a change of its own was lost on the way, and an older one under a raised clock may have replaced it. */
  mayRevert = false

  constructor(id: number, speaks: boolean) {
    const doc = new Y.Doc()
    doc.clientID = id
    this.awareness = new Awareness(doc)
    if (!speaks) this.awareness.setLocalState(null)
    this.awareness.on('update', ({ added, updated, removed }: AwarenessChange) => {
      this.wire?.up.push(encodeAwarenessUpdate(this.awareness, [...added, ...updated, ...removed]))
    })
  }

  get id(): number {
    return this.awareness.clientID
  }

  get speaks(): boolean {
    return this.awareness.getLocalState() !== null
  }

  /** A client with clock 0 is invisible to everybody, by the protocol. */
  get isVisible(): boolean {
    return this.speaks && (this.awareness.meta.get(this.id)?.clock ?? 0) > 0
  }

  change(now: number): void {
    this.value += 1
    this.renewedAt = now
    this.awareness.setLocalState({ owner: this.id, value: this.value })
  }

  renew(now: number): void {
    this.renewedAt = now
    this.awareness.setLocalState(this.awareness.getLocalState())
  }
}

/** `Presence` with clients around it, delays between them, and a clock. */
export class PresenceRoom {
  readonly presence = new Presence(defaultLimits, () => {})
  readonly clients: PresenceClient[] = []
  readonly wires = new Set<Wire>()
  readonly #strikes: string[] = []
  now = 0
  /** Clients cut off so far. */
  cuts = 0

  add(id: number, speaks: boolean): PresenceClient {
    const client = new PresenceClient(id, speaks)
    this.clients.push(client)
    return client
  }

  connect(client: PresenceClient): void {
    if (client.wire !== null) return
    const wire = new Wire(this.now, client.id % 2 === 0)
    this.wires.add(wire)
    client.wire = wire
    this.presence.join(wire)
    if (client.speaks) wire.up.push(encodeAwarenessUpdate(client.awareness, [client.id]))
    const all = this.presence.encodeAll()
    if (all !== null) wire.down.push(all)
  }

  /** The socket closes and both ends know it. */
  disconnect(client: PresenceClient): void {
    const { wire } = client
    if (wire === null) return
    this.#close(wire)
    this.#forgetOthers(client)
  }

  /** The client is cut off; the server has not noticed. */
  cut(client: PresenceClient): void {
    const { wire } = client
    if (wire === null) return
    wire.brokenAt = this.now
    this.cuts += 1
    this.#forgetOthers(client)
  }

  /** What y-websocket does in `destroy`: says goodbye, then closes. */
  leave(client: PresenceClient): void {
    if (client.wire === null) return
    removeAwarenessStates(client.awareness, [client.id], 'local')
    while (client.wire.up.length > 0) this.deliverUp(client.wire)
    this.disconnect(client)
  }

  deliverUp(wire: Wire): void {
    const frame = wire.up.shift()
    if (frame !== undefined) this.say(wire, frame)
  }

  say(wire: Wire, frame: Uint8Array): void {
    const verdict = this.presence.receive(wire, readAwareness(frame), frame.length, this.now)
    if (verdict === 'strike') this.#strikes.push(Buffer.from(frame).toString('hex'))
  }

  deliverDown(client: PresenceClient): void {
    const frame = client.wire?.down.shift()
    if (frame !== undefined) applyAwarenessUpdate(client.awareness, frame, 'server')
  }

  /** One beat of the room. */
  beat(): readonly PresenceState[] {
    const changes = this.presence.takeChanges()
    if (changes === null) return []
    for (const wire of this.wires) if (wire.brokenAt === null && !wire.isSpared(changes)) wire.down.push(changes.update)
    return readAwareness(changes.update)
  }

  advance(milliseconds: number): void {
    this.now += milliseconds
    for (const client of this.clients) {
      if (client.speaks && this.now - client.renewedAt >= RENEW_AFTER_MS) client.renew(this.now)
    }
    for (const wire of this.wires) {
      if (wire.brokenAt !== null && this.now - wire.brokenAt >= REAPED_AFTER_MS) this.#close(wire)
    }
    this.presence.sweep(this.now)
  }

  /** Pings are answered; who cannot answer is closed. */
  async answerChallenges(): Promise<void> {
    for (const wire of this.wires) {
      const challenges = wire.challenges.splice(0)
      if (challenges.length > 0 && wire.brokenAt !== null) this.#close(wire)
      for (const answer of challenges) answer(wire.brokenAt === null)
    }
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  }

  /** Delivers all there is, without any time passing. Presence that never comes to rest fails here. */
  async drain(): Promise<void> {
    for (let round = 0; this.#isBusy(); round += 1) {
      if (round > 60) throw new Error('presence does not come to rest: the same news goes round and round')
      for (const wire of this.wires) while (wire.brokenAt === null && wire.up.length > 0) this.deliverUp(wire)
      await this.answerChallenges()
      this.beat()
      for (const client of this.clients) while ((client.wire?.down.length ?? 0) > 0) this.deliverDown(client)
    }
  }

  /** What the clients of the room are told now, by client id. */
  told(): Map<number, string> {
    const all = this.presence.encodeAll()
    return new Map(
      (all === null ? [] : readAwareness(all)).map(({ client, json }) => [client, Buffer.from(json).toString()]),
    )
  }

  get strikes(): readonly string[] {
    return this.#strikes
  }

  destroy(): void {
    for (const client of this.clients) client.awareness.destroy()
  }

  #isBusy(): boolean {
    if (this.presence.changed || this.clients.some((client) => (client.wire?.down.length ?? 0) > 0)) return true
    for (const wire of this.wires) {
      if (wire.challenges.length > 0) return true
      if (wire.brokenAt === null && wire.up.length > 0) return true
    }
    return false
  }

  #close(wire: Wire): void {
    this.wires.delete(wire)
    this.presence.leave(wire, this.now)
  }

  #forgetOthers(client: PresenceClient): void {
    if ((client.wire?.up.length ?? 0) > 0) client.mayRevert = true
    client.wire = null
    const others = [...client.awareness.getStates().keys()].filter((id) => id !== client.id)
    removeAwarenessStates(client.awareness, others, 'closed')
  }
}

export function oneState(client: number, clock: number, state: unknown): Uint8Array {
  return encodeAwareness([{ client, clock, json: Buffer.from(JSON.stringify(state)) }])
}
