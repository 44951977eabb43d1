import { afterEach, describe, expect, test } from 'vitest'
import { readAwareness } from '../../shared/wire/awareness.ts'
import { ClientWorld } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

/** Our presence as it was sent: clock and state, oldest first. */
function announced({ sent, doc }: Opened): (readonly [number, unknown])[] {
  return sent
    .filter(([type]) => type === 1)
    .flatMap((message) => readAwareness(message.subarray(2)))
    .map(({ client, clock, json }) => {
      expect(client).toBe(doc.clientID)
      return [clock, JSON.parse(Buffer.from(json).toString()) as unknown] as const
    })
}

describe('our presence', () => {
  test('is announced as it is at first, and under the next clock whenever we return', async () => {
    const device = world.device()
    const opened = world.open(device)
    opened.provider.awareness.setLocalState({ name: 'me' })
    await world.pass(10_000)
    device.network.cut()
    await world.pass(10_000)
    device.network.goSilent()
    await world.pass(20_000)
    expect(device.network.opened).toBe(3)
    expect(announced(opened)).toEqual([
      [1, { name: 'me' }],
      [2, { name: 'me' }],
      [3, { name: 'me' }],
    ])
  })

  test('is seen by others at once when we return, although they remember that we had left', async () => {
    const device = world.device()
    const [me, other] = [world.open(device), world.open(world.device())]
    me.provider.awareness.setLocalState({ name: 'me' })
    await world.pass(1_000)
    const isSeen = (): boolean => other.provider.awareness.getStates().has(me.doc.clientID)
    expect(isSeen()).toBe(true)
    me.provider.disconnect()
    await world.pass(100)
    expect(isSeen()).toBe(false)
    me.provider.connect()
    await world.pass(100)
    expect(isSeen()).toBe(true)
  })

  test('is told at most every awarenessThrottle, the newest of it', async () => {
    const opened = world.open(world.device(), { awarenessThrottle: 100 })
    await world.pass(1_000)
    opened.sent.length = 0
    for (let value = 0; value < 50; value += 1) {
      opened.provider.awareness.setLocalStateField('value', value)
      await world.pass(10)
    }
    await world.pass(1_000)
    const values = announced(opened).map(([, state]) => (state as { value: number }).value)
    expect(values.length).toBeLessThanOrEqual(6)
    expect([values[0], values.at(-1)]).toEqual([0, 49])
  })

  test('is kept when somebody says that we are gone', async () => {
    const [me, other] = [world.open(world.device()), world.open(world.device())]
    me.provider.awareness.setLocalState({ name: 'me' })
    await world.pass(1_000)
    me.sent.length = 0
    // As a server does whose connection to us has timed out while we have another.
    const json = Buffer.from('null')
    const id = me.doc.clientID
    const varUint = (value: number): number[] =>
      value < 128 ? [value] : [(value % 128) | 128, ...varUint(Math.floor(value / 128))]
    const states = [1, ...varUint(id), 1, 4, ...json]
    world.say(new Uint8Array([1, states.length, ...states]))
    await world.pass(1_000)
    expect(announced(me)).toEqual([[2, { name: 'me' }]])
    expect(other.provider.awareness.getStates().get(id)).toEqual({ name: 'me' })
  })

  test('of nobody is not announced', async () => {
    const opened = world.open(world.device(), { connect: false })
    opened.provider.awareness.setLocalState(null)
    opened.provider.connect()
    await world.pass(1_000)
    expect(announced(opened)).toEqual([])
  })

  test('is ours alone: what others show is not repeated', async () => {
    const [me, other] = [world.open(world.device()), world.open(world.device())]
    await world.pass(1_000)
    me.sent.length = 0
    for (let value = 0; value < 5; value += 1) {
      other.provider.awareness.setLocalStateField('value', value)
      await world.pass(1_000)
    }
    expect(announced(me)).toEqual([])
  })
})

test('100 clients that lose their server come back spread over time', async () => {
  const devices = Array.from({ length: 100 }, () => world.device())
  for (const [index, device] of devices.entries()) world.open(device, {}, `room ${String(index)}`)
  await world.pass(10_000)
  for (const device of devices) {
    device.network.reachability = 'refusing'
    device.network.cut()
  }
  await world.pass(5_000)
  for (const device of devices) device.network.reachability = 'up'
  const arrivals: number[] = []
  let before = 100
  for (let bucket = 0; bucket < 60; bucket += 1) {
    await world.pass(100)
    const now = devices.reduce((sum, device) => sum + device.network.opened, 0)
    arrivals.push(now - before)
    before = now
  }
  expect(before).toBe(200)
  expect(Math.max(...arrivals)).toBeLessThan(25)
})
