import { afterEach, expect, test } from 'vitest'
import { ClientWorld } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

const attempts = (states: readonly string[]): number => states.filter((state) => state === 'connecting').length

test('who connects whenever it is told of a close pauses between attempts all the same', async () => {
  const { provider, device, states } = await world.openSynced()
  provider.on('connection-close', () => provider.connect())
  device.network.reachability = 'refusing'
  device.network.cut()
  await world.pass(10_000)
  expect(attempts(states)).toBeLessThan(40)
})

test('who connects in spite of a denial is not told of it afterwards', async () => {
  const { provider } = await world.openSynced()
  provider.once('connection-close', () => provider.connect())
  world.close(4400)
  await world.pass(1_000)
  expect([provider.synced, provider.shouldConnect]).toEqual([true, true])
  await provider.whenSaved()
})

test.each(['connecting', 'open'] as const)(
  'who leaves when told that it is %s hears last that it is offline',
  async (at) => {
    const { provider, states } = world.open(world.device(), { connect: false })
    const statuses: string[] = []
    provider.on('status', ({ status }) => statuses.push(status))
    provider.on('link', ({ name }) => name === at && provider.disconnect())
    provider.connect()
    await world.pass(1_000)
    expect([states.at(-1), statuses.includes('connected')]).toEqual(['offline', false])
  },
)
