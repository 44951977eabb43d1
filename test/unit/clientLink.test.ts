import { afterEach, describe, expect, test } from 'vitest'
import type { LinkStatus } from '../../client/index.ts'
import type { FakeDevice } from '../../client/testing/index.ts'
import { ClientWorld } from './clientWorld.ts'
import type { Opened, Options } from './clientWorld.ts'

/** As a browser's with a URL that is none. */
function ImpossibleSocket(): never {
  throw new SyntaxError('not a URL')
}

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

function retryIn(status: LinkStatus): number {
  if (status.name !== 'waiting') throw new Error(`not waiting: ${status.name}`)
  return status.retryAt - world.clock.now()
}

describe('the first retry', () => {
  test('is at once when a steady connection is lost', async () => {
    const { provider, states, device } = await openSynced()
    await world.pass(10_000)
    device.network.cut()
    await world.pass(1)
    expect(provider.synced).toBe(true)
    expect(states).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open'])
  })

  test('is the only one at once; those after it wait, longer and longer, at random', async () => {
    const { provider, states, device } = await openSynced({ maxBackoffTime: 60_000 })
    await world.pass(10_000)
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(0)
    const waits: number[] = []
    for (let tries = 0; tries < 9; tries += 1) {
      await timeUntil(() => provider.linkStatus.name === 'waiting', 1_000)
      waits.push(retryIn(provider.linkStatus))
      await world.pass(retryIn(provider.linkStatus))
    }
    expect(states.slice(2, 6)).toEqual(['waiting', 'connecting', 'waiting', 'connecting'])
    for (const [index, wait] of waits.entries()) {
      expect(wait).toBeGreaterThan(0)
      expect(wait).toBeLessThanOrEqual(256 * 2 ** (index + 2))
    }
    expect(Math.max(...waits)).toBeGreaterThan(5_000)
  })

  test('is not at once when the connection had only just been made, or the server asks for time', async () => {
    const { provider, device } = await openSynced()
    device.network.cut()
    await world.pass(0)
    expect(retryIn(provider.linkStatus)).toBeGreaterThan(0)
    await world.pass(20_000)
    expect(provider.synced).toBe(true)
    world.server.restart()
    await world.pass(0)
    expect(retryIn(provider.linkStatus)).toBeGreaterThan(0)
  })

  test('is never beyond maxBackoffTime, which may be changed, and counted from new once synced', async () => {
    const { provider, device } = await openSynced()
    await world.pass(10_000)
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(60_000)
    expect(provider.wsUnsuccessfulReconnects).toBeGreaterThan(20)
    provider.maxBackoffTime = 10
    await world.pass(2_500)
    const attempts = provider.wsUnsuccessfulReconnects
    await world.pass(1_000)
    expect(provider.wsUnsuccessfulReconnects).toBeGreaterThan(attempts + 99)
    device.network.reachability = 'up'
    await world.pass(100)
    expect([provider.synced, provider.wsUnsuccessfulReconnects]).toEqual([true, 0])
  })
})

describe('who is refused for what it says', () => {
  test('waits longer than others, so that it does not send it again and again', async () => {
    const { provider, device } = await openSynced()
    await world.pass(10_000)
    const waits: number[] = []
    for (let tries = 0; tries < 20; tries += 1) {
      world.close(1009)
      await world.pass(1)
      waits.push(retryIn(provider.linkStatus))
      await timeUntil(() => provider.synced, 60_000)
      await world.pass(6_000)
    }
    expect(device.network.opened).toBe(21)
    expect(waits.filter((wait) => wait > 2_500).length).toBeGreaterThan(10)
  })
})

describe('a page', () => {
  test('that is online again does not wait any longer', async () => {
    const { provider, device } = await openSynced({ maxBackoffTime: 1_000_000 })
    device.network.reachability = 'refusing'
    device.network.cut()
    await timeUntil(() => provider.wsUnsuccessfulReconnects > 8, 1_000_000)
    device.network.reachability = 'up'
    device.page.fire('offline')
    expect(retryIn(provider.linkStatus)).toBeGreaterThan(1_000)
    device.page.fire('online')
    await world.pass(10)
    expect(provider.synced).toBe(true)
  })

  test('that nobody looks at comes back more slowly, and at once when it is looked at', async () => {
    const { provider, device } = await openSynced()
    device.page.fire('hidden')
    device.network.reachability = 'refusing'
    device.network.cut()
    const waits: number[] = []
    for (let tries = 0; tries < 20; tries += 1) {
      await timeUntil(() => provider.linkStatus.name === 'waiting', 1_000)
      waits.push(retryIn(provider.linkStatus))
      await world.pass(retryIn(provider.linkStatus))
    }
    expect(Math.max(...waits)).toBeGreaterThan(2_500)
    await timeUntil(() => provider.linkStatus.name === 'waiting', 1_000)
    device.network.reachability = 'up'
    device.page.fire('visible')
    await world.pass(10)
    expect(provider.synced).toBe(true)
  })

  test('whose network changes asks at once whether the connection is still one', async () => {
    const { device } = await openSynced()
    await world.pass(1_000)
    device.network.goSilent()
    device.page.fire('offline')
    expect(await timeUntil(() => device.network.opened > 1, 10_000)).toBeLessThanOrEqual(5_100)
  })

  test('that is left says goodbye, and is back when it returns from the cache', async () => {
    const { provider, device } = await openSynced()
    const other = world.open(world.device())
    await world.pass(100)
    provider.awareness.setLocalStateField('name', 'first')
    await world.pass(100)
    const isSeen = (): boolean => other.provider.awareness.getStates().has(provider.doc.clientID)
    expect(isSeen()).toBe(true)
    provider.doc.getText('text').insert(0, 'last words')
    device.page.fire('pagehide')
    await world.pass(1)
    expect([isSeen(), other.text]).toEqual([false, 'last words'])
    device.page.fire('returned')
    await world.pass(100)
    expect(isSeen()).toBe(true)
  })
})

describe('an attempt', () => {
  test('that is never answered ends after connectTimeout', async () => {
    const device = world.device()
    device.network.reachability = 'silent'
    const { provider } = world.open(device, { connectTimeout: 3_000 })
    await world.pass(2_990)
    expect(provider.wsUnsuccessfulReconnects).toBe(0)
    await world.pass(20)
    expect(provider.wsUnsuccessfulReconnects).toBe(1)
  })

  test('that cannot even begin is reported, and made again', async () => {
    const errors: string[] = []
    const opened = world.open(world.device(), {
      connect: false,
      WebSocketPolyfill: ImpossibleSocket as never,
    })
    opened.provider.on('error', ({ code }) => errors.push(code))
    opened.provider.connect()
    await world.pass(5_000)
    expect(errors.length).toBeGreaterThan(3)
    expect(new Set(errors)).toEqual(new Set(['SOCKET_FAILED']))
  })

  test('is abandoned without a trace by disconnect and destroy', async () => {
    const device = world.device()
    const { provider, states } = world.open(device)
    provider.disconnect()
    await world.pass(1_000)
    expect([device.network.opened, states]).toEqual([0, ['connecting', 'offline']])
    provider.connect()
    provider.destroy()
    await world.pass(1_000)
    expect([device.network.opened, provider.linkStatus.name]).toEqual([0, 'closed'])
    provider.connect()
    await world.pass(1_000)
    expect([device.network.opened, provider.linkStatus.name]).toEqual([0, 'closed'])
  })
})

test('an attempt that began without a network gives way when there is one, and starts anew', async () => {
  const device = world.device()
  device.network.reachability = 'silent'
  const { provider } = world.open(device)
  await world.pass(70_000)
  device.network.reachability = 'up'
  device.page.fire('online')
  await world.pass(100)
  expect([provider.synced, device.network.opened]).toEqual([true, 1])
})

describe('a denial', () => {
  test.each([4400, 4401, 4403, 4404, 4499])('with %i stops for good, and whoever waits is told', async (code) => {
    const { provider, states, device, type } = await openSynced()
    await world.pass(10_000)
    world.server.hold()
    type('x')
    const saved = provider.whenSaved()
    world.close(code, 'not you')
    const told = expect(saved).rejects.toMatchObject({ code: 'ACCESS_DENIED', closeCode: code, message: 'not you' })
    await world.pass(600_000)
    await told
    expect([device.network.opened, states.at(-1)]).toEqual([1, 'denied'])
    expect(provider.linkStatus).toEqual({ name: 'denied', code, reason: 'not you' })
    await expect(provider.whenSynced).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    device.page.fire('online')
    await world.pass(1_000)
    expect(device.network.opened).toBe(1)
    world.server.release()
    provider.connect()
    await world.pass(100)
    expect([provider.synced, world.saved]).toEqual([true, 'x'])
  })

  test.each([1000, 1001, 1005, 1006, 1011, 1012, 1013, 3000, 4000, 4399, 4408, 4500, 4501, 4999])(
    'is not what %i says',
    async (code) => {
      const { provider, device } = await openSynced()
      for (let times = 1; times <= 5; times += 1) {
        await world.pass(10_000)
        if (code === 1006) device.network.cut()
        else if (code === 1005) world.close(undefined as never)
        else world.close(code)
        await world.pass(10_000)
        expect([provider.synced, device.network.opened]).toEqual([true, times + 1])
      }
    },
  )
})

test('a close event without a code, as of React Native, is no denial', async () => {
  const { provider } = await openSynced()
  await world.pass(10_000)
  provider.ws?.onclose?.({ type: 'close' } as never)
  await world.pass(10_000)
  expect([provider.synced, provider.shouldConnect]).toEqual([true, true])
})

test("what is put into one provider's params is not in those of others", () => {
  const [one, other] = [world.open(world.device()), world.open(world.device())]
  one.provider.params['token'] = 'secret'
  expect(other.provider.url).not.toContain('secret')
})

test('every state of the link is another object, and the same one until it changes', async () => {
  const { provider } = await openSynced()
  const before = provider.linkStatus
  await world.pass(60_000)
  expect(provider.linkStatus).toBe(before)
  provider.disconnect()
  expect(provider.linkStatus).not.toBe(before)
})
