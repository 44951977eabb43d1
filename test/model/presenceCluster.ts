import { applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import type { Message } from '../../server/engine/engine.ts'
import type { Random } from '../../client/testing/random.ts'
import { answerChallenges, isBusy, PresenceNode, RovingClient } from './presenceNode.ts'
import { Wire } from './presenceRoom.ts'

/** What may happen to messages between nodes. Probabilities. */
export interface Faults {
  readonly lost: number
  readonly repeated: number
  readonly reordered: number
}

export const noFaults: Faults = { lost: 0, repeated: 0, reordered: 0 }

/** Several nodes that serve one document, what is under way between them, and clients that move among them. */
export class PresenceCluster {
  readonly clients: RovingClient[] = []
  readonly nodes: PresenceNode[] = []
  readonly #random: Random
  faults: Faults = noFaults
  now = 0
  #started = 0
  /** Messages published so far, by kind. */
  readonly published = new Map<string, number>()

  constructor(random: Random) {
    this.#random = random
  }

  addClient(id: number): RovingClient {
    const client = new RovingClient(id, () => this.now)
    this.clients.push(client)
    return client
  }

  startNode(): PresenceNode {
    this.#started += 1
    const node = new PresenceNode({
      name: `node-${this.#started}`,
      origin: this.#random.below(1_000_000_000),
      time: () => this.now,
      random: this.#random,
      publish: (from, kind, bytes) => this.#publish(from, kind, bytes),
      onEcho: (client) => this.#echoed(client),
    })
    this.nodes.push(node)
    return node
  }

  /** Without a word: to the others it only falls silent. */
  killNode(node: PresenceNode): void {
    this.nodes.splice(this.nodes.indexOf(node), 1)
    for (const client of node.wires.values()) if (client.node === node) this.#forgetOthers(client)
    node.isOpen = false
  }

  connect(client: RovingClient, node: PresenceNode): void {
    if (client.wire !== null) return
    const wire = new Wire(this.now, client.id % 2 === 0)
    node.open()
    node.wires.set(wire, client)
    client.wire = wire
    client.node = node
    node.presence.join(wire)
    wire.up.push(encodeAwarenessUpdate(client.awareness, [client.id]))
    const all = node.presence.encodeAll()
    if (all !== null) wire.down.push(all)
  }

  /** The socket closes and both ends know it. */
  disconnect(client: RovingClient): void {
    const { wire, node } = client
    if (wire === null || node === null) return
    node.close(wire)
    this.#forgetOthers(client)
  }

  /** The client is cut off; its node has not noticed. */
  cut(client: RovingClient): void {
    if (client.wire === null) return
    client.wire.brokenAt = this.now
    this.#forgetOthers(client)
  }

  deliverDown(client: RovingClient): void {
    const frame = client.wire?.down.shift()
    if (frame !== undefined) applyAwarenessUpdate(client.awareness, frame, 'server')
    if (client.isReverted) client.mayRevert = true
  }

  /** Pings are answered; who cannot answer is closed. */
  async answerChallenges(): Promise<void> {
    for (const node of this.nodes) for (const wire of node.wires.keys()) answerChallenges(node, wire)
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve()
  }

  advance(milliseconds: number): void {
    for (let left = milliseconds; left > 0; left -= 1_000) {
      this.now += Math.min(left, 1_000)
      for (const client of this.clients) client.tick(this.now)
      for (const node of this.nodes) node.tick()
    }
  }

  /** Delivers all there is, without any time passing. Presence that never comes to rest fails here. */
  async drain(beat = (node: PresenceNode): void => void node.beat()): Promise<void> {
    for (let round = 0; this.#isBusy(); round += 1) {
      if (round > 100) throw new Error('presence does not come to rest: the same news goes round and round')
      for (const node of this.nodes) node.takeAll()
      await this.answerChallenges()
      for (const node of this.nodes) beat(node)
      for (const client of this.clients) this.#deliverAllDown(client)
    }
  }

  #deliverAllDown(client: RovingClient): void {
    while ((client.wire?.down.length ?? 0) > 0) this.deliverDown(client)
  }

  destroy(): void {
    for (const client of this.clients) client.awareness.destroy()
  }

  #isBusy(): boolean {
    if (this.clients.some((client) => (client.wire?.down.length ?? 0) > 0)) return true
    return this.nodes.some(isBusy)
  }

  #publish(from: PresenceNode, kind: string, bytes: Uint8Array): void {
    this.published.set(kind, (this.published.get(kind) ?? 0) + 1)
    for (const node of this.nodes) if (node !== from && node.isOpen) this.#send(node, { from: from.name, kind, bytes })
  }

  #send(to: PresenceNode, message: Message): void {
    const random = this.#random
    const { lost, repeated, reordered } = this.faults
    if (random.chance(lost)) return
    const at = random.chance(reordered) ? random.below(to.inbox.length + 1) : to.inbox.length
    to.inbox.splice(at, 0, message)
    if (random.chance(repeated)) to.inbox.push(message)
  }

  /** Cannot be told from the client itself coming back, if its last socket is dead (A5): an older state may replace it. */
  #echoed(id: number): void {
    const isDoubted = (wire: Wire): boolean => wire.brokenAt !== null || wire.challenges.length > 0
    const isInDoubt = ({ wires }: PresenceNode): boolean =>
      [...wires].some(([wire, client]) => client.id === id && isDoubted(wire))
    const client = this.clients.find((other) => other.id === id)
    if (client !== undefined && this.nodes.some(isInDoubt)) client.mayRevert = true
  }

  #forgetOthers(client: RovingClient): void {
    if ((client.wire?.up.length ?? 0) > 0) client.mayRevert = true
    client.wire = null
    client.node = null
    const others = [...client.awareness.getStates().keys()].filter((id) => id !== client.id)
    removeAwarenessStates(client.awareness, others, 'closed')
  }
}
