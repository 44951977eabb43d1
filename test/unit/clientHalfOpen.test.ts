import { afterEach, describe, expect, test } from 'vitest'
import type { FakeDevice } from '../../client/testing/index.ts'
import { ClientWorld } from './clientWorld.ts'
import type { Opened, Options } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

async function openSynced(options: Options = {}): Promise<Opened & { readonly device: FakeDevice }> {
  const device = world.device()
  const opened = world.open(device, options)
  await world.pass(100)
  expect(opened.provider.synced).toBe(true)
  return { ...opened, device }
}

/** Lets time pass until there is a connection, and tells how long it took, in steps of 10 ms. */
async function timeUntil(condition: () => boolean, atMost: number): Promise<number> {
  for (let time = 0; time <= atMost; time += 10) {
    if (condition()) return time
    await world.pass(10)
  }
  return Infinity
}

describe('a half-open connection', () => {
  test('is noticed within 10 s, whenever it goes silent, and replaced', async () => {
    for (const after of [0, 1, 4_999, 5_000, 7_500, 60_000]) {
      const { provider, device } = await openSynced()
      await world.pass(after)
      device.network.goSilent()
      const noticed = await timeUntil(() => device.network.opened > 1, 20_000)
      expect(noticed, `silent after ${String(after)} ms`).toBeLessThanOrEqual(10_000)
      await world.pass(1_000)
      expect(provider.synced).toBe(true)
      provider.destroy()
    }
  })

  test('is noticed as fast as the heartbeat option says', async () => {
    const { device, provider } = await openSynced({ heartbeat: 2_000 })
    device.network.goSilent()
    expect(await timeUntil(() => provider.linkStatus.name !== 'open', 20_000)).toBeLessThanOrEqual(2_000)
  })

  test('is noticed while edits wait for their answer, and they are sent again', async () => {
    const { provider, device, type } = await openSynced()
    device.network.goSilent()
    type('lost at first')
    const saved = provider.whenSaved()
    await world.pass(11_000)
    await saved
    expect(world.saved).toBe('lost at first')
  })

  test.each([1_000, 100_000, 1_000_000])('is noticed as fast after %i bytes were saved', async (bytes) => {
    for (const isOffline of [true, false]) {
      const device = world.device()
      const { provider, type } = world.open(device, { connect: !isOffline })
      if (!isOffline) await world.pass(1_000)
      type('x'.repeat(bytes))
      provider.connect()
      void provider.whenSaved()
      await world.pass(1_000)
      expect(provider.unsavedChanges).toBe(0)
      device.network.goSilent()
      expect(await timeUntil(() => device.network.opened > 1, 30_000)).toBeLessThanOrEqual(10_000)
      provider.destroy()
    }
  })

  test('is noticed although all timers are late, as those of a page nobody looks at', async () => {
    const { clock } = world
    const MINUTE = 60_000
    const device = world.device()
    const environment = {
      ...device.environment,
      clock: {
        now: () => clock.now(),
        endOfTurn: (task: () => void) => clock.endOfTurn(task),
        after: (milliseconds: number, task: () => void) =>
          clock.after(Math.ceil((clock.now() + milliseconds) / MINUTE) * MINUTE - clock.now(), task),
      },
    }
    world.open(device, { environment })
    await world.pass(1_000)
    device.network.goSilent()
    expect(await timeUntil(() => device.network.opened > 1, 10 * MINUTE)).toBeLessThanOrEqual(3 * MINUTE)
  })

  test('is not seen where the server only takes its time to store', async () => {
    const { provider, device, type } = await openSynced()
    world.server.hold()
    type('x')
    await world.pass(4_000)
    world.server.release()
    await world.pass(100)
    expect([device.network.opened, provider.unsavedChanges]).toEqual([1, 0])
  })

  test('is not seen where the connection is only slow: what was sent is given time to pass', async () => {
    const device = world.device({ bytesPerSecond: 20_000 })
    const opened = world.open(device)
    await world.pass(1_000)
    opened.type('x'.repeat(400_000))
    await world.pass(60_000)
    expect([device.network.opened, opened.provider.unsavedChanges]).toEqual([1, 0])
  })

  test('to a server that is not ours is noticed after 30 s, as by y-websocket', async () => {
    world = new ClientWorld({ dialect: 'y-websocket' })
    const { device } = await openSynced()
    device.network.goSilent()
    const noticed = await timeUntil(() => device.network.opened > 1, 40_000)
    expect(noticed).toBeGreaterThan(29_000)
    expect(noticed).toBeLessThanOrEqual(30_000)
  })

  test('is not assumed after a stall of our own: the server is asked again first', async () => {
    const { clock } = world
    let stall = 0
    const device = world.device()
    const environment = {
      ...device.environment,
      clock: {
        now: () => clock.now() + stall,
        endOfTurn: (task: () => void) => clock.endOfTurn(task),
        after: (milliseconds: number, task: () => void) => clock.after(milliseconds, task),
      },
    }
    const { provider } = world.open(device, { environment })
    await world.pass(6_000)
    device.network.goSilent()
    await world.pass(5_000) // it has been asked for a sign of life
    stall = 60_000
    await world.pass(4_900)
    expect([provider.linkStatus.name, device.network.opened]).toEqual(['open', 1])
    await world.pass(5_100)
    expect([provider.linkStatus.name, device.network.opened]).toEqual(['open', 2])
  })
})
