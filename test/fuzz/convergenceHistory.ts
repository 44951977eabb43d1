import { poisonousUpdate, Room } from '../model/room.ts'
import { Random } from '../../client/testing/random.ts'
import { toChannel } from '../model/wirings.ts'
import { World } from '../model/world.ts'
import { syncUpdate } from '../../shared/wire/messages.ts'

/** One seeded history through the channels, in bytes: edits, delays, lost connections, restarts. Ends in agreement. */
export async function runConvergenceHistory(seed: number): Promise<void> {
  const random = new Random(seed)
  const world = new World({ maxPendingUpdatesPerSession: random.chance(0.3) ? 4 : 4096 })
  const room = new Room(world, (link, client) => toChannel(world)(link, client), 2 + random.below(5))
  try {
    for (const client of room.clients) client.connect()
    const steps = 100 + random.below(200)
    for (let step = 0; step < steps; step += 1) await takeStep(room, random)
    await room.end()
  } finally {
    room.destroy()
  }
}

async function takeStep(room: Room, random: Random): Promise<void> {
  const index = random.below(room.clients.length)
  const client = room.client(index)
  const dice = random.below(1000)
  if (dice < 300) room.edit(index, random.below(1_000_000))
  else if (dice < 500) client.deliverUp(1 + random.below(5))
  else if (dice < 680) client.deliverDown(1 + random.below(8))
  else if (dice < 800) await room.settle()
  else if (dice < 910) await room.world.clock.advanceAsync(random.below(40))
  else if (dice < 935) client.connect()
  else if (dice < 950) client.disconnect()
  else takeRareStep(room, random, index, dice)
}

function takeRareStep(room: Room, random: Random, index: number, dice: number): void {
  const client = room.client(index)
  if (dice < 960) room.reorder(index)
  else if (dice < 968) client.probe()
  else if (dice < 974) client.requestState()
  else if (dice < 980 && client.link !== null) client.link.congested = true
  else if (dice < 988) client.drain()
  else if (dice < 992) room.failAppends(1 + random.below(3), random.chance(0.5) ? 'before' : 'after')
  else if (dice < 994) client.doc.getMap('map').set('large', 'y'.repeat(70_000))
  else if (dice < 996) client.inject(syncUpdate(poisonousUpdate()))
  else if (dice < 998) restart(room)
}

function restart(room: Room): void {
  room.world.crash()
  room.reconnectAll()
}
