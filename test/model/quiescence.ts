import { expect } from 'vitest'
import * as Y from 'yjs'
import type { SimClient } from './simClient.ts'
import type { World } from './world.ts'
import { expectSame } from './world.ts'

/** Longer than every retry, budget refill and linger of the pipeline. Milliseconds. */
const LONG_MS = 3_000

/** Storage works, sockets drain, time passes: until nothing is under way any more. */
export async function quiesce(world: World, clients: readonly SimClient[]): Promise<void> {
  world.heal()
  for (let round = 0; round < 40; round += 1) {
    for (const client of clients) {
      client.drain()
      client.deliverUp(Infinity)
      client.deliverDown(Infinity)
    }
    await world.clock.advanceAsync(round % 4 === 3 ? LONG_MS : 50)
    if (round > 8 && clients.every(isQuiet)) return
  }
  throw new Error('the room does not come to rest')
}

function isQuiet(client: SimClient): boolean {
  return !client.isConnected || (client.outbox.length === 0 && client.link?.inbox.length === 0)
}

/** All connected clients and the log agree; every acknowledgement and proof that is due has come, once. */
export async function expectConverged(world: World, clients: readonly SimClient[]): Promise<void> {
  for (const client of clients.filter((client) => client.isConnected)) {
    const who = `client ${client.doc.clientID} (${client.address ?? 'y-websocket'})`
    expect(client.link?.isPaused, `${who} is still paused`).toBe(false)
    expectSame(client.doc, world.stored.durable(client.document), who)
    if (!client.hasOrphan) expect(client.tally.probesAnswered, `${who}: probes`).toBe(client.tally.probesSent)
    const { acknowledges } = client.dialect
    if (!acknowledges) expect(client.tally.acknowledged, `${who}: acknowledgements`).toBe(0)
    else if (client.counted === 0)
      expect(client.tally.acknowledged, `${who}: acknowledgements`).toBe(client.acknowledgementsDue)
    if (!client.hasOrphan) expect(client.tally.confirmed, `${who}: confirmed`).toBe(client.counted)
  }
  for (const document of new Set(clients.map((client) => client.document))) await world.expectStored(document)
}

/** Everybody leaves; the documents are dropped, and whoever comes next finds all of it. */
export async function expectUnloaded(world: World, clients: readonly SimClient[], visitor: SimClient): Promise<void> {
  for (const client of clients) client.disconnect()
  await world.clock.advanceAsync(4 * LONG_MS)
  expect(world.registry.size, 'documents still loaded').toBe(0)
  visitor.connect()
  await quiesce(world, [visitor])
  expectSame(visitor.doc, world.stored.durable(visitor.document), 'a visitor')
  expect(Y.encodeStateVector(visitor.doc)).toEqual(Y.encodeStateVector(world.stored.durable(visitor.document)))
  visitor.disconnect()
  await world.clock.advanceAsync(LONG_MS)
  expect(world.registry.size, 'documents still loaded').toBe(0)
  expect(world.clock.timers, 'timers left behind').toBe(0)
}
