import { describe, expect, it } from 'vitest'
import { syncUpdate } from '../../shared/wire/messages.ts'
import { chainOfUpdates, collected, firstUpdate } from '../support/collaborator.ts'
import { expectConverged, quiesce } from './quiescence.ts'
import { Room } from './room.ts'
import { toSession } from './wirings.ts'
import { World } from './world.ts'

const KIB = 1024

/** How many updates each commit merged, of these and one before them that keeps the log busy until all have come. */
async function batchesOf(updates: readonly Uint8Array[]): Promise<number[]> {
  const world = new World()
  const room = new Room(world, toSession(world), 1)
  const client = room.client(0)
  client.connect()
  await quiesce(world, room.clients)
  world.hold('append')
  client.inject(syncUpdate(firstUpdate(100, 'busy')))
  await world.clock.advanceAsync(50)
  for (const update of updates) client.inject(syncUpdate(update))
  await quiesce(world, room.clients)
  await expectConverged(world, room.clients)
  return world.events.flatMap((event) => (event.type === 'committed' ? [event.updates] : []))
}

describe('batches', () => {
  it('D5: what waits together is committed together', async () => {
    expect(await batchesOf([200, 201, 202].map((client) => firstUpdate(client, 'x')))).toEqual([1, 3])
  })

  it('D5: one transaction merges at most 8,192 updates', async () => {
    expect(await batchesOf(chainOfUpdates(200, 'x'.repeat(8192 + 5)))).toEqual([1, 8192, 5])
  })

  it('D5: one transaction merges no more updates once it has 4 MiB', async () => {
    const updates = Array.from({ length: 6 }, (_, index) => firstUpdate(200 + index, 'x'.repeat(1024 * KIB)))
    expect(await batchesOf(updates)).toEqual([1, 4, 2])
  })

  it('D5: one transaction merges no more updates once it has 250,000 structs', async () => {
    const updates = Array.from({ length: 5 }, (_, index) => collected(200 + index, 125_000))
    expect(await batchesOf(updates)).toEqual([1, 2, 2, 1])
  })
})
