import { createDecoder, readVarString } from 'lib0/decoding'
import { afterEach, beforeAll, expect, test } from 'vitest'
import type { Dialect } from '../../client/testing/index.ts'
import { guarded, loadSharedSockets, SharedSocketServer } from './clientServers.ts'
import { ClientWorld, ROOM } from './clientWorld.ts'

let world = new ClientWorld()

beforeAll(loadSharedSockets)

afterEach(() => world.destroy())

/** Which addresses clients have used, in order. */
function watch(dialect: Dialect): Set<string> {
  const addresses = new Set<string>()
  const note = (frame: Uint8Array): boolean => addresses.add(readVarString(createDecoder(frame))).size > 0
  world = new ClientWorld({ dialect, wrap: (server) => guarded(new SharedSocketServer(server), note) })
  return addresses
}

test.each([
  ['scriptorium', 1, 3],
  ['y-websocket', 2, 2],
] as const)(
  'who comes back to a shared socket of %s hears no answer to what it asked before: %i sockets, %i addresses',
  async (...given) => {
    const [dialect, sockets, count] = given
    const addresses = watch(dialect)
    const device = world.device()
    const { provider, type } = world.open(device, { multiplex: true })
    const other = world.open(device, { multiplex: true }, 'other')
    await world.pass(1_000)
    provider.disconnect()
    provider.connect()
    type('x')
    await world.pass(5_000)
    expect([provider.synced, world.saved, device.network.opened, addresses.size]).toEqual([true, 'x', sockets, count])
    expect([...addresses].filter((address) => address !== 'other').every((address) => address.startsWith(ROOM))).toBe(
      true,
    )
    expect(other.provider.synced).toBe(true)
  },
)

test('an attempt of many documents on one socket gives way for all of them when there is a network', async () => {
  world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
  const device = world.device()
  device.network.reachability = 'silent'
  const rooms = ['a', 'b', 'c'].map((room) => world.open(device, { multiplex: true }, room))
  await world.pass(70_000)
  device.network.reachability = 'up'
  device.page.fire('online')
  await world.pass(1_000)
  expect([rooms.map(({ provider }) => provider.synced), device.network.opened]).toEqual([[true, true, true], 1])
})

test('a socket that is dead is found to be, whoever waits for a first answer on it', async () => {
  world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
  const device = world.device()
  const synced = world.open(device, { multiplex: true }, 'a')
  await world.pass(1_000)
  device.network.goSilent()
  const waiting = ['b', 'c'].map((room) => world.open(device, { multiplex: true }, room))
  await world.pass(60_000)
  expect([synced, ...waiting].map(({ provider }) => provider.synced)).toEqual([true, true, true])
  expect(device.network.opened).toBeLessThan(5)
})

test.each([
  [2_000_000, 90_000],
  [4_000_000, 240_000],
])('a document without news waits for %i bytes that are on their way on the same socket', async (bytes, within) => {
  world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
  const author = world.open(world.device(), { multiplex: true }, 'large')
  author.type('x'.repeat(bytes))
  await world.pass(1_000)
  const device = world.device({ bytesPerSecond: 50_000 })
  const idle = world.open(device, { multiplex: true }, 'idle')
  await world.pass(1_000)
  const large = world.open(device, { multiplex: true }, 'large')
  await world.pass(within)
  expect([large.text.length, large.provider.synced, idle.provider.synced]).toEqual([bytes, true, true])
})
