import { afterEach, describe, expect, test } from 'vitest'
import { ClientWorld } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

describe('what is told of the connection', () => {
  test('is when the server was last heard, also after it was lost', async () => {
    const { provider, device } = await world.openSynced()
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(60_000)
    expect(provider.syncStatus.lastMessageAge).toBeGreaterThanOrEqual(60_000)
    expect(Date.now() - provider.wsLastMessageReceived).toBeGreaterThanOrEqual(60_000)
  })

  test('is that edits are stuck, once and when they are, and that they are no more', async () => {
    const { provider, type } = await world.openSynced({ heartbeat: 600_000 }) // a server that is held says nothing
    const told: string[] = []
    provider.on('sync-status', ({ status }) => told.push(status))
    world.server.hold()
    type('x')
    await world.pass(9_900)
    expect(told).toEqual(['yellow'])
    type('y')
    await world.pass(200)
    type('z')
    await world.pass(60_000)
    expect(told).toEqual(['yellow', 'red'])
    world.server.release()
    await world.pass(1_000)
    expect(told).toEqual(['yellow', 'red', 'green'])
  })
})

describe('a listener that ends the connection', () => {
  test.each(['y-websocket', 'scriptorium'] as const)(
    'while a server (%s) says what it has: nothing is in sync, nothing is proved by what came too late',
    async (dialect) => {
      world.destroy()
      world = new ClientWorld({ dialect })
      const author = world.open(world.device())
      author.type('a')
      await world.pass(1_000)
      const { provider, doc, type } = world.open(world.device())
      const told: boolean[] = []
      provider.on('synced', (isSynced) => told.push(isSynced))
      let ends = 1
      doc.getText('text').observe(() => {
        if (ends-- > 0) provider.disconnect()
      })
      await world.pass(5_000)
      expect([told, provider.synced]).toEqual([[], false])
      type('b')
      await world.pass(5_000)
      expect([provider.unsavedChanges, world.saved]).toEqual([1, 'a'])
      provider.connect()
      const saved = provider.whenSaved()
      await world.pass(5_000)
      await saved
      expect([provider.unsavedChanges, world.saved]).toEqual([0, 'ab'])
    },
  )

  test('for good, because of an edit or of what was measured, leaves no timer behind', async () => {
    const { provider, type } = world.open(world.device())
    provider.on('unsaved-changes', () => provider.destroy())
    type('x')
    const other = world.open(world.device()).provider
    other.on('rtt', () => other.destroy())
    await world.pass(1_000)
    expect([provider.linkStatus.name, other.linkStatus.name, world.clock.timers]).toEqual(['closed', 'closed', 0])
  })
})

test('a round trip is told when it is measured', async () => {
  const { provider } = world.open(world.device({ latencyMs: 40 }))
  const told: number[] = []
  provider.on('rtt', (milliseconds) => told.push(milliseconds))
  await world.pass(20_000)
  expect([told[0], told.at(-1)]).toEqual([80, provider.rtt])
})
