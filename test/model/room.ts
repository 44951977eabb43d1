import * as Y from 'yjs'
import { Random } from '../../client/testing/random.ts'
import { RandomEditor } from '../../client/testing/randomEditor.ts'
import { syncUpdate } from '../../shared/wire/messages.ts'
import type { FaultTiming } from '../../server/testing/faultyEngine.ts'
import { expectConverged, expectUnloaded, quiesce } from './quiescence.ts'
import { SimClient } from './simClient.ts'
import type { WireUp } from './simClient.ts'
import type { World } from './world.ts'

const DOCUMENT = 'room'

/** A world with clients on one document, and everything that may happen there as a method. */
export class Room {
  readonly world: World
  readonly clients: SimClient[]
  readonly #wireUp: WireUp

  constructor(world: World, wireUp: WireUp, size: number) {
    this.world = world
    this.#wireUp = wireUp
    this.clients = Array.from({ length: size }, (_, index) => this.#client(index + 1))
  }

  #client(id: number): SimClient {
    // Odd: y-websocket. Even: Hocuspocus, some with a session id behind the name.
    const address = id % 2 === 1 ? null : id % 4 === 0 ? `${DOCUMENT}\0${id}` : DOCUMENT
    const isOurs = id % 4 === 3 || id % 8 === 6
    return new SimClient(this.world, this.#wireUp, { document: DOCUMENT, address, isOurs, id })
  }

  client(index: number): SimClient {
    return this.clients[index % this.clients.length] as SimClient
  }

  edit(index: number, seed: number): void {
    new RandomEditor(this.client(index).doc, new Random(seed)).edit()
  }

  /** The newest message overtakes the one before it, as no protocol should but some clients do. */
  reorder(index: number): void {
    const { outbox } = this.client(index)
    const [newest, before] = [outbox.pop(), outbox.pop()]
    if (newest !== undefined) outbox.push(newest)
    if (before !== undefined) outbox.push(before)
  }

  failAppends(count: number, timing: FaultTiming): void {
    this.world.engine.fail('append', count, timing)
  }

  async settle(): Promise<void> {
    await this.world.clock.settle()
  }

  /** Who lost its connection comes back; who was never there does not. */
  reconnectAll(): void {
    for (const client of this.clients) if (client.link !== null) client.connect()
  }

  async end(): Promise<void> {
    this.reconnectAll()
    await quiesce(this.world, this.clients)
    this.reconnectAll()
    await quiesce(this.world, this.clients)
    await expectConverged(this.world, this.clients)
    await expectUnloaded(this.world, this.clients, this.#client(1001))
  }

  destroy(): void {
    for (const client of this.clients) client.doc.destroy()
  }
}

/** One string item of `client` at clock 0, whose left neighbour is the first item of `left`. */
function item(client: number, left: number): number[] {
  return [1, ...varUint(client), 0, 0x84, ...varUint(left), 0, 1, 0x70]
}

/** Two clients in one update that wait for each other: validation cannot see it, Yjs keeps both pending. */
export function poisonousUpdate(): Uint8Array {
  return new Uint8Array([2, ...item(902, 901), ...item(901, 902), 0])
}

/** Fits as long as the poison is believed in. */
export function updateOnPoison(client: number): Uint8Array {
  return new Uint8Array([1, ...item(client, 901), 0])
}

function varUint(value: number): number[] {
  return value < 0x80 ? [value] : [0x80 | (value & 0x7f), value >> 7]
}

/** An edit of a client nobody has heard of, whose predecessor never comes. */
export function orphanUpdate(id: number): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = id
  doc.getText('text').insert(0, 'first')
  const before = Y.encodeStateVector(doc)
  doc.getText('text').insert(5, 'second')
  const update = Y.encodeStateAsUpdate(doc, before)
  doc.destroy()
  return syncUpdate(update)
}
