import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ClientWorld } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  vi.unstubAllGlobals()
  world.destroy()
  world = new ClientWorld()
})

describe('a frame that cannot be read', () => {
  test.each([
    ['ends too early', [0, 2, 200]],
    ['announces more than it holds', [1, 5, 1]],
    ['has a number without an end', [0, 255, 255]],
    ['holds an update that cannot be read', [0, 2, 3, 255, 255, 255]],
    ['holds a state that cannot be read', [0, 1, 3, 255, 255, 255]],
  ])('because it %s is reported, and the connection made anew', async (_what, bytes) => {
    const { provider, device, type } = await world.openSynced()
    const errors: string[] = []
    provider.on('error', ({ code }) => errors.push(code))
    world.say(new Uint8Array(bytes))
    await world.pass(10_000)
    expect([errors, device.network.opened, provider.synced]).toEqual([['MALFORMED_FRAME'], 2, true])
    type('x')
    await world.pass(100)
    expect(world.saved).toBe('x')
  })

  test.each([
    ['is not JSON', [1, 5, 1, 7, 9, 1, 123]],
    ['ends too early', [1, 4, 2, 7, 9, 0]],
  ])('because what somebody says about himself %s is told, and harms nothing else', async (_what, bytes) => {
    const thrown = vi.fn()
    vi.stubGlobal('reportError', thrown)
    const { provider, device, type } = await world.openSynced()
    const errors: string[] = []
    provider.on('error', ({ code }) => errors.push(code))
    world.say(new Uint8Array(bytes))
    await world.pass(10_000)
    expect([errors, thrown.mock.calls, device.network.opened, provider.synced]).toEqual([
      ['MALFORMED_FRAME'],
      [],
      1,
      true,
    ])
    type('x')
    await world.pass(100)
    expect(world.saved).toBe('x')
  })

  test('because nobody knows its number is ignored', async () => {
    const { provider, device } = await world.openSynced()
    const errors: string[] = []
    provider.on('error', ({ code }) => errors.push(code))
    for (const number of [4, 5, 9, 50, 101, 113, 119, 124]) world.say(new Uint8Array([number, 1, 2, 3]))
    await world.pass(1_000)
    expect([errors, device.network.opened]).toEqual([[], 1])
  })
})

describe('a listener of the application that throws', () => {
  const mistake = new Error('a mistake of the application')
  const thrown = vi.fn()

  beforeEach(() => {
    thrown.mockReset()
    vi.stubGlobal('reportError', thrown)
  })

  test.each([
    'status',
    'sync',
    'synced',
    'link',
    'connection-close',
    'sync-status',
    'unsaved-changes',
    'saved',
    'frame',
  ] as const)('to %s is reported, and stops nothing', async (event) => {
    const device = world.device()
    const { provider, type } = world.open(device, { connect: false })
    provider.on(event, () => {
      throw mistake
    })
    provider.connect()
    await world.pass(10_000)
    type('a')
    await world.pass(1_000)
    device.network.cut()
    type('b')
    await world.pass(10_000)
    await provider.whenSaved()
    expect([world.saved, provider.synced, device.network.opened]).toEqual(['ab', true, 2])
    expect(new Set(thrown.mock.calls.map(([error]: unknown[]) => error))).toEqual(new Set([mistake]))
    provider.destroy()
    await world.pass(1_000)
    expect(world.clock.timers).toBe(0)
  })

  test('to the document or presence is reported, and stops nothing', async () => {
    const device = world.device()
    const [reader, author] = [world.open(device), world.open(world.device())]
    const fail = (): never => {
      throw mistake
    }
    reader.doc.getText('text').observe(fail)
    reader.provider.awareness.on('change', fail)
    author.type('a')
    await world.pass(1_000)
    author.provider.awareness.setLocalStateField('name', 'x')
    author.type('b')
    await world.pass(1_000)
    expect(reader.provider.awareness.getStates().size).toBe(2)
    device.network.cut()
    await world.pass(10_000)
    expect([reader.text, reader.provider.synced, device.network.opened]).toEqual(['ab', true, 2])
    expect(thrown.mock.calls.length).toBeGreaterThan(2)
    reader.provider.awareness.off('change', fail)
  })

  test('to its own messages is reported, and stops nothing', async () => {
    const { provider, device } = await world.openSynced()
    provider.messageHandlers[50] = () => {
      throw mistake
    }
    world.say(new Uint8Array([50, 1]))
    await world.pass(1_000)
    expect([thrown.mock.calls, device.network.opened]).toEqual([[[mistake]], 1])
  })
})

test('who connects again as soon as it hears of a close gets one connection, and each event once', async () => {
  const { provider, device, states } = await world.openSynced()
  const events: string[] = []
  provider.on('status', ({ status }) => events.push(status))
  provider.on('connection-close', () => provider.connect())
  await world.pass(10_000)
  device.network.cut()
  await world.pass(1_000)
  expect([device.network.opened, provider.synced]).toEqual([2, true])
  expect(events).toEqual(['connecting', 'disconnected', 'connected'])
  expect(states).toEqual(['connecting', 'open', 'connecting', 'open'])
  provider.on('connection-close', () => provider.destroy())
  device.network.cut()
  await world.pass(10_000)
  expect([device.network.opened, provider.linkStatus.name, world.clock.timers]).toEqual([2, 'closed', 0])
})
