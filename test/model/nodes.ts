import { expect } from 'vitest'
import type * as Y from 'yjs'
import { Random } from '../../client/testing/random.ts'
import { RandomEditor } from '../../client/testing/randomEditor.ts'
import { expectConverged } from './quiescence.ts'
import { SimClient } from './simClient.ts'
import { toSession } from './wirings.ts'
import { Database, expectSame, World } from './world.ts'

const DOCUMENT = 'room'

/** Several servers on one database, and clients that pick one of them each. */
export class Nodes {
  readonly database = new Database()
  readonly worlds: readonly World[]
  readonly clients: readonly SimClient[]
  readonly #random: Random

  constructor(seed: number, { nodes = 3, clients = 6 }: { nodes?: number; clients?: number } = {}) {
    this.#random = new Random(seed)
    this.worlds = Array.from({ length: nodes }, () => new World({}, this.database))
    this.clients = Array.from({ length: clients }, (_, index) => this.client(index + 1))
  }

  client(id: number): SimClient {
    const world = this.worlds[id % this.worlds.length] as World
    const address = id % 2 === 1 ? null : DOCUMENT
    return new SimClient(world, toSession(world), { document: DOCUMENT, address, isOurs: id % 4 > 1, id })
  }

  /** One thing happens, somewhere. */
  async step(): Promise<void> {
    const client = this.#random.pick(this.clients) as SimClient
    const world = this.#random.pick(this.worlds) as World
    const value = this.#random.below(1000)
    const steps: readonly (() => unknown)[] = [
      () => client.connect(),
      () => client.connect(),
      () => this.#edit(client, value),
      () => this.#edit(client, value),
      () => this.#edit(client, value),
      () => client.deliverUp(1 + (value % 4)),
      () => client.deliverUp(1 + (value % 4)),
      () => client.deliverDown(1 + (value % 6)),
      () => client.deliverDown(1 + (value % 6)),
      () => client.probe(),
      () => this.#advance(1 + (value % 30)),
      () => this.#advance(1 + (value % 30)),
      () => this.#advance(200 + value * 3),
      () => (value % 4 === 0 ? client.disconnect() : undefined),
      () => this.#writeMuch(client),
      () => world.engine.fail('append', 1 + (value % 2), value % 3 === 0 ? 'before' : 'after'),
      () => world.engine.fail('load', 1),
      () => (value % 2 === 0 ? world.hold('append') : world.hold('compact')),
      () => world.release(),
      () => this.database.fanout.hold(),
      () => this.database.fanout.release(),
      () => this.#congest(client, value),
      () => client.drain(),
      () => (value % 8 === 0 ? this.#crash(world) : undefined),
      () => (value % 4 === 0 ? this.#lose(1 + (value % 5)) : undefined),
    ]
    await this.#random.pick(steps)?.()
    await world.expectStored(DOCUMENT)
  }

  /** Nothing fails any more, and nobody edits: everybody has everything in the end, and so has the log. */
  async end(): Promise<void> {
    for (let again = 0; again < 2; again += 1) {
      for (const client of this.clients) if (client.link !== null) client.connect()
      await this.rest()
    }
    const durable = this.worlds[0]?.stored.durable(DOCUMENT) as Y.Doc
    for (const world of this.worlds) await expectConverged(world, this.clients)
    for (const client of this.clients) client.disconnect()
    for (let round = 0; round < 5; round += 1) await this.#advance(3_000)
    const visitor = this.client(1001)
    visitor.connect()
    await this.rest([visitor])
    expectSame(visitor.doc, durable, 'a visitor')
    visitor.disconnect()
    for (let round = 0; round < 3; round += 1) await this.#advance(3_000)
    for (const world of this.worlds) {
      expect(world.registry.size, 'documents still loaded').toBe(0)
      expect(world.clock.timers, 'timers left behind').toBe(0)
    }
  }

  count(type: 'replicated' | 'reconciled' | 'stale' | 'compacted'): number {
    return this.worlds.reduce((sum, world) => sum + world.count(type), 0)
  }

  #edit(client: SimClient, seed: number): void {
    new RandomEditor(client.doc, new Random(seed)).edit()
  }

  /** More than the log takes before a snapshot pays. */
  #writeMuch(client: SimClient): void {
    if (client.isConnected) client.doc.getMap('map').set('large', 'x'.repeat(100_000))
  }

  #congest({ link }: SimClient, value: number): void {
    if (link !== null && value % 4 !== 0) link.congested = true
  }

  #heal(): void {
    this.database.fanout.release()
    for (const world of this.worlds) world.heal()
  }

  #crash(world: World): void {
    world.crash()
    for (const client of this.clients) if (client.link !== null) client.connect()
  }

  /** What a node had shown or acknowledged is lost by the database, and not by the nodes that still hold it. */
  async #lose(count: number): Promise<void> {
    this.#heal()
    for (let round = 0; round < 3; round += 1) await this.#advance(3_000)
    const isHeld = this.worlds.some((world) => (world.registry.get(DOCUMENT)?.sessionCount ?? 0) > 0)
    if (!isHeld) return
    this.database.lose(DOCUMENT, count)
    for (let round = 0; round < 4; round += 1) await this.#advance(100)
  }

  async #advance(milliseconds: number): Promise<void> {
    for (const world of this.worlds) await world.clock.advanceAsync(milliseconds)
    for (const world of this.worlds) await world.clock.settle()
  }

  async rest(clients: readonly SimClient[] = this.clients): Promise<void> {
    this.#heal()
    for (let round = 0; round < 30; round += 1) {
      for (const client of clients) {
        client.drain()
        client.deliverUp(Infinity)
        client.deliverDown(Infinity)
      }
      await this.#advance(round % 4 === 3 ? 3_000 : 50)
    }
  }
}
