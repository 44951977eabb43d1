import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import type { Options } from './clientWorld.ts'
import { ClientWorld, SERVER_URL } from './clientWorld.ts'
import { loadSharedSockets, SharedSocketServer } from './clientServers.ts'

const MANY = 100

beforeAll(loadSharedSockets)

afterEach(() => {
  vi.restoreAllMocks()
})

/** Observers of an observable of lib0, by event. */
function observers(observable: { readonly _observers: ReadonlyMap<string, ReadonlySet<unknown>> }): number {
  return [...observable._observers.values()].reduce((sum, set) => sum + set.size, 0)
}

const everything: Options = {
  disableBc: false,
  persistence: true,
  resyncInterval: 1_000,
  preventUnsavedChanges: true,
  token: () => [btoa('{}'), btoa(JSON.stringify({ exp: Date.now() / 1000 + 3_600 })), ''].join('.'),
}

/** Intervals that were set and not cleared: those of presence, which has no clock but the real one. */
function watchIntervals(): ReadonlySet<unknown> {
  const intervals = new Set<unknown>()
  const [set, clear] = [globalThis.setInterval, globalThis.clearInterval]
  vi.spyOn(globalThis, 'setInterval').mockImplementation((handler, timeout) => {
    const timer = set(handler, timeout)
    intervals.add(timer)
    return timer
  })
  vi.spyOn(globalThis, 'clearInterval').mockImplementation((timer) => {
    intervals.delete(timer)
    clear(timer)
  })
  return intervals
}

/** Whatever leaves something to be answered. */
function beBusy(world: ClientWorld, providers: readonly WebsocketProvider[], isAnswered: boolean): void {
  if (!isAnswered) world.server.hold()
  for (const provider of providers) {
    provider.doc.getText('text').insert(0, 'x')
    provider.awareness.setLocalStateField('name', 'x')
    provider.whenSaved().catch(() => undefined)
  }
}

const moments = ['connecting', 'waiting', 'synced', 'typing', 'unanswered', 'offline', 'denied'] as const

describe.each([false, true])('100 providers, multiplex: %s', (multiplex) => {
  test.each(moments)('destroyed while %s leave nothing behind', async (moment) => {
    const intervals = watchIntervals()
    const world = new ClientWorld(multiplex ? { wrap: (server) => new SharedSocketServer(server) } : {})
    const device = world.device({ latencyMs: 20 })
    if (moment === 'waiting') device.network.reachability = 'refusing'
    const docs = Array.from({ length: MANY }, () => new Y.Doc())
    const before = docs.map((doc) => observers(doc))
    const providers = docs.map((doc, index) => {
      const options = { ...everything, multiplex, environment: device.environment, connect: moment !== 'offline' }
      return new WebsocketProvider(SERVER_URL, `room ${String(index)}`, doc, options)
    })
    if (moment !== 'connecting') await world.pass(1_234)
    if (moment === 'typing' || moment === 'unanswered') {
      beBusy(world, providers, moment === 'typing')
      expect(device.page.asksBeforeClosing).toBe(true)
    }
    if (moment === 'denied') world.close(4403)
    await world.pass(moment === 'connecting' ? 0 : 50)
    for (const provider of providers) provider.destroy()
    for (const provider of providers) provider.destroy()
    await world.pass(100)
    expect(world.clock.timers, 'timers').toBe(0)
    expect(intervals.size, 'intervals').toBe(0)
    expect([device.page.listeners, device.page.asksBeforeClosing, device.tabs.subscribers]).toEqual([0, false, 0])
    expect([device.stores.openStores, world.server.connections, device.network.links]).toEqual([0, 0, 0])
    expect(providers.map((provider) => observers(provider) + observers(provider.awareness))).toEqual(
      providers.map(() => 0),
    )
    // Each presence of y-protocols leaves one listener for the document's end; there is no way to take it off.
    expect(docs.map((doc) => observers(doc))).toEqual(before.map((count) => count + 1))
    world.destroy()
  })
})

test('a presence of the application outlives the provider, one of ours does not', () => {
  const world = new ClientWorld()
  const { environment } = world.device()
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const before = observers(awareness)
  const theirs = new WebsocketProvider(SERVER_URL, 'room', doc, { environment, awareness })
  const ours = new WebsocketProvider(SERVER_URL, 'room', doc, { environment })
  theirs.destroy()
  ours.destroy()
  expect([awareness.getLocalState(), ours.awareness.getLocalState()]).toEqual([{}, null])
  expect(observers(awareness)).toBe(before)
  awareness.destroy()
})

test('a document that is destroyed takes its provider with it', async () => {
  const world = new ClientWorld()
  const device = world.device()
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(SERVER_URL, 'room', doc, { environment: device.environment })
  await world.pass(100)
  doc.destroy()
  await world.pass(100)
  expect([provider.linkStatus.name, world.clock.timers, world.server.connections]).toEqual(['closed', 0, 0])
})

test('the page asks before it is closed while something is not saved, and not otherwise', async () => {
  const world = new ClientWorld()
  const device = world.device()
  const { type } = world.open(device, { preventUnsavedChanges: true })
  await world.pass(100)
  expect(device.page.asksBeforeClosing).toBe(false)
  world.server.hold()
  type('x')
  expect(device.page.asksBeforeClosing).toBe(true)
  world.server.release()
  await world.pass(1_000)
  expect(device.page.asksBeforeClosing).toBe(false)
  const other = world.open(device)
  world.server.hold()
  other.type('y')
  expect(device.page.asksBeforeClosing).toBe(false)
  world.destroy()
})

test.each([
  ['heartbeat', { heartbeat: 10 }],
  ['connectTimeout', { connectTimeout: 0 }],
  ['flushDelay', { flushDelay: -1 }],
  ['awarenessThrottle', { awarenessThrottle: Number.NaN }],
])('a wrong %s is refused by name', (option, options) => {
  expect(() => new WebsocketProvider(SERVER_URL, 'room', new Y.Doc(), options)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', option }),
  )
})
