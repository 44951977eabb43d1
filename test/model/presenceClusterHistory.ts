import { expect } from 'vitest'
import { readAwareness } from '../../shared/wire/awareness.ts'
import { Random } from '../../client/testing/random.ts'
import { noFaults, PresenceCluster } from './presenceCluster.ts'
import type { Faults } from './presenceCluster.ts'
import type { PresenceNode, RovingClient } from './presenceNode.ts'

const STEPS = 200
/** Within this time of peace everybody has to see exactly who is there (P4, several nodes). Milliseconds. */
const PEACE_MS = 45_000

const badNetwork: Faults = { lost: 0.2, repeated: 0.1, reordered: 0.1 }

/**
 * One random history of a document that several nodes serve, checked at its end, and its rooms at every step.
 *
 * @returns how often a room was told an older state of a client than before
 */
export async function runClusterHistory(seed: number): Promise<number> {
  const random = new Random(seed)
  const history = new History(random)
  try {
    for (let step = 0; step < STEPS; step += 1) await history.step()
    await history.settle()
    history.check()
    return history.jumps
  } finally {
    history.cluster.destroy()
  }
}

class History {
  readonly cluster: PresenceCluster
  jumps = 0
  readonly #random: Random
  /** The last value each room was told of each client. */
  readonly #told = new Map<PresenceNode, Map<number, number>>()

  constructor(random: Random) {
    this.#random = random
    this.cluster = new PresenceCluster(random)
    if (random.chance(0.7)) this.cluster.faults = badNetwork
    for (let node = 2 + random.below(2); node > 0; node -= 1) this.cluster.startNode()
    for (let id = 1; id <= 4; id += 1) this.cluster.addClient(id)
  }

  async step(): Promise<void> {
    const client = this.#random.pick(this.cluster.clients)
    const node = this.#random.pick(this.cluster.nodes)
    if (client === undefined || node === undefined) return
    const dice = this.#random.below(100)
    if (dice < 16) client.change(this.cluster.now)
    else if (dice < 36) this.#deliver(node)
    else if (dice < 50) this.cluster.deliverDown(client)
    else if (dice < 62) this.beat(node)
    else if (dice < 74) for (let count = this.#random.below(4); count >= 0; count -= 1) node.hear()
    else await this.#takeRareStep(client, node, dice)
  }

  async #takeRareStep(client: RovingClient, node: PresenceNode, dice: number): Promise<void> {
    if (dice < 83) this.cluster.connect(client, node)
    else if (dice < 86) this.cluster.disconnect(client)
    else if (dice < 89) this.cluster.cut(client)
    else if (dice < 92) await this.cluster.answerChallenges()
    else if (dice < 93)
      node.open() // somebody is about to join (L1)
    else if (dice < 97) this.cluster.advance(this.#random.pick([50, 1_000, 1_000, 6_000]) ?? 0)
    else if (dice < 98) node.unload()
    else if (dice < 99) await this.cluster.drain((busy) => this.beat(busy))
    else if (this.#random.chance(0.5)) this.#replace(node)
  }

  /** Dies; the others learn of it by its silence, or, with some engines, are told. */
  #replace(node: PresenceNode): void {
    this.cluster.killNode(node)
    if (this.#random.chance(0.3)) for (const other of this.cluster.nodes) other.exchange.left(node.name, other.now())
    this.cluster.startNode()
  }

  #deliver(node: PresenceNode): void {
    const wire = this.#random.pick([...node.wires.keys()])
    if (wire === undefined) return
    for (let count = this.#random.below(4); wire.brokenAt === null && count >= 0; count -= 1) node.say(wire)
  }

  /** Nothing is told of a client but what it has said itself. */
  beat(node: PresenceNode): void {
    const changes = node.beat()
    if (changes === null) return
    const told = this.#told.get(node) ?? new Map<number, number>()
    this.#told.set(node, told)
    for (const { client, json } of readAwareness(changes)) {
      const text = Buffer.from(json).toString()
      if (text === 'null' || text === '{}') continue
      const { owner, value } = JSON.parse(text) as { owner: number; value: number }
      expect(owner).toBe(client)
      const { mayRevert } = this.cluster.clients[client - 1] ?? { mayRevert: true }
      if (!mayRevert && value < (told.get(client) ?? 0)) this.jumps += 1
      told.set(client, value)
    }
  }

  async settle(): Promise<void> {
    this.cluster.faults = noFaults
    await this.cluster.drain((node) => this.beat(node))
    for (let passed = 0; passed < PEACE_MS; passed += 1_000) {
      this.cluster.advance(1_000)
      await this.cluster.drain((node) => this.beat(node))
    }
  }

  check(): void {
    const present = this.cluster.clients.filter((client) => client.wire !== null && client.isVisible)
    const truth = new Map<number, unknown>(present.map((client) => [client.id, client.awareness.getLocalState()]))
    for (const node of this.cluster.nodes) {
      expect(node.strikes).toEqual([])
      if (node.isOpen) expect(node.told(), `told by ${node.name}`).toEqual(truth)
    }
    for (const viewer of this.cluster.clients) {
      if (viewer.wire === null) continue
      if (!viewer.mayRevert && viewer.value > 0) expect(viewer.isReverted).toBe(false)
      const seen = new Map(viewer.awareness.getStates())
      if (!truth.has(viewer.id)) seen.delete(viewer.id)
      expect(seen, `seen by ${viewer.id}`).toEqual(truth)
    }
  }
}
