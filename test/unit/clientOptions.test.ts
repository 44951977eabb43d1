import { afterEach, expect, test, vi } from 'vitest'
import { ClientWorld } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  vi.restoreAllMocks()
  world.destroy()
  world = new ClientWorld()
})

const attempts = (states: readonly string[]): number => states.filter((state) => state === 'connecting').length

test('what is put into protocols holds for the next connection', async () => {
  const { provider, device } = await world.openSynced()
  const asked: unknown[] = []
  const { WebSocket } = device.network
  vi.spyOn(device.network, 'WebSocket', 'get').mockReturnValue(
    class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url)
        asked.push(protocols)
      }
    },
  )
  provider.protocols = ['a']
  provider.disconnect()
  provider.connect()
  expect(asked).toEqual([['a']])
})

test.each([
  ['heartbeat', Infinity],
  ['heartbeat', 'auto'],
  ['heartbeat', '5000'],
  ['resyncInterval', Infinity],
  ['resyncInterval', Number.NaN],
  ['maxBackoffTime', 0],
  ['maxBackoffTime', 'x'],
  ['connectTimeout', 2 ** 31],
  ['flushDelay', Infinity],
])('the option %s cannot be %s', (option, value) => {
  expect(() => world.open(world.device(), { [option]: value })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', option, message: expect.stringContaining(option) as unknown }),
  )
})

test.each([0, Number.NaN, 'x'])('a field maxBackoffTime that is %s takes no pause away', async (value) => {
  const { provider, device, states } = await world.openSynced()
  provider.maxBackoffTime = value as number
  device.network.reachability = 'refusing'
  device.network.cut()
  await world.pass(10_000)
  expect(attempts(states)).toBeLessThan(200)
})
