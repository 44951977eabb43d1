import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import type { ProviderOptions } from '../../client/index.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(): Promise<TestServer> {
  const host = await TestServer.start()
  cleanups.push(() => host.dispose())
  return host
}

function open(url: string, room: string, options: ProviderOptions<WebsocketProvider> = {}): WebsocketProvider {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, room, doc, { disableBc: true, maxBackoffTime: 100, ...options })
  cleanups.push(() => {
    provider.destroy()
    doc.destroy()
  })
  return provider
}

const shared = { multiplex: true } as const

function text(provider: WebsocketProvider): Y.Text {
  return provider.doc.getText('text')
}

describe('many documents on one socket', () => {
  test('are each synchronised and saved by themselves', async () => {
    const host = await start()
    const rooms = ['a', 'b/c', 'ü 1', 'a?b#c%20']
    const providers = rooms.map((room) => open(host.url, room, shared))
    await Promise.all(providers.map((provider) => provider.whenSynced))
    for (const [index, provider] of providers.entries()) text(provider).insert(0, rooms[index] ?? '')
    await Promise.all(providers.map((provider) => provider.whenSaved()))
    expect(host.count('connected')).toBe(1)
    expect(host.server.documents.names().toSorted()).toEqual(rooms.toSorted())
    for (const room of rooms) {
      const doc = new Y.Doc()
      Y.applyUpdate(doc, await host.server.documents.read(room))
      expect(doc.getText('text').toJSON()).toBe(room)
    }
    expect(providers.map(({ ackLevel, scope }) => [ackLevel, scope])).toEqual(
      rooms.map(() => ['durable', 'read-write']),
    )
  })

  test('come and go one by one; the socket goes with the last', async () => {
    const host = await start()
    const [first, second] = [open(host.url, 'first', shared), open(host.url, 'second', shared)]
    await Promise.all([first.whenSynced, second.whenSynced])
    const log: unknown[] = []
    second.on('status', ({ status }) => log.push(status))
    const third = open(host.url, 'third', shared)
    const events: string[] = []
    third.on('status', ({ status }) => events.push(status))
    await third.whenSynced
    expect(events).toEqual(['connected'])
    first.disconnect()
    await eventually(() => !host.server.documents.names().includes('first'), 'the first has been left')
    third.destroy()
    text(second).insert(0, 'still here')
    await second.whenSaved()
    expect([log, host.count('connected'), host.count('disconnected')]).toEqual([[], 1, 0])
    first.connect()
    await first.whenSynced
    expect(host.count('connected')).toBe(1)
    first.destroy()
    second.destroy()
    await eventually(() => host.count('disconnected') === 1, 'the socket is closed')
  })

  test('may be the same one several times, each seeing the others', async () => {
    const host = await start()
    const providers = Array.from({ length: 4 }, () => open(host.url, 'room', shared))
    await Promise.all(providers.map((provider) => provider.whenSynced))
    for (const [index, provider] of providers.entries()) {
      provider.awareness.setLocalStateField('index', index)
      text(provider).insert(0, String(index))
    }
    await eventually(() => providers.every((provider) => text(provider).length === 4), 'all have all')
    await eventually(() => providers.every(({ awareness }) => awareness.getStates().size === 4), 'all see all')
    expect(host.count('connected')).toBe(1)
    providers[0]?.destroy()
    await eventually(() => providers.slice(1).every(({ awareness }) => awareness.getStates().size === 3), 'one is gone')
  })

  test('share the denial of none of them', async () => {
    const host = await start()
    const good = open(host.url, 'good', shared)
    const bad = open(host.url, 'b\u0001d', shared)
    await expect(bad.whenSynced).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    await good.whenSynced
    text(good).insert(0, 'x')
    await good.whenSaved()
    expect([bad.linkStatus.name, host.count('connected')]).toEqual(['denied', 1])
  })

  test('all come back on one socket when the server does, with what was typed meanwhile', async () => {
    const host = await start()
    const providers = Array.from({ length: 10 }, (_, index) => open(host.url, `room ${String(index)}`, shared))
    await Promise.all(providers.map((provider) => provider.whenSynced))
    const restarted = await host.restart()
    cleanups.push(() => restarted.dispose())
    for (const provider of providers) text(provider).insert(0, 'meanwhile')
    await Promise.all(providers.map((provider) => provider.whenSaved()))
    expect(restarted.count('connected')).toBe(1)
    expect(providers.map(({ stats }) => stats.reconnects)).toEqual(providers.map(() => 1))
  })
})

test.each([false, true])('100 real providers leave no socket and no timer (multiplex: %s)', async (multiplex) => {
  const host = await start()
  const resources = (): string[] => {
    return process.getActiveResourcesInfo().filter((kind) => /TCPSocketWrap|Timeout|MessagePort/.test(kind))
  }
  const warmUp = open(host.url, 'warm up', { multiplex })
  await warmUp.whenSynced
  warmUp.destroy()
  await eventually(() => host.count('disconnected') === host.count('connected'), 'that one is gone')
  const before = resources().length
  const providers = Array.from({ length: 100 }, (_, index) => {
    return open(host.url, `room ${String(index % 50)}`, { multiplex, disableBc: false, resyncInterval: 100_000 })
  })
  await Promise.all(providers.map((provider) => provider.whenSynced))
  for (const provider of providers) text(provider).insert(0, 'x')
  await Promise.all(providers.map((provider) => provider.whenSaved()))
  expect(resources().length).toBeGreaterThan(before + 100)
  for (const provider of providers) provider.destroy()
  await eventually(() => host.count('disconnected') === host.count('connected'), 'all sockets are closed')
  await eventually(() => resources().length <= before, 'nothing is left', { detail: resources })
})

test('every frame can be looked at, and is counted', async () => {
  const host = await start()
  const provider = open(host.url, 'room')
  const seen = { in: 0, out: 0, bytes: 0 }
  provider.on('frame', ({ direction, bytes }) => {
    seen[direction] += 1
    seen.bytes += bytes.length
  })
  text(provider).insert(0, 'x')
  await provider.whenSaved()
  const { framesIn, framesOut, bytesIn, bytesOut, reconnects, savedAfter } = provider.stats
  expect([seen.in, seen.out, seen.bytes]).toEqual([framesIn, framesOut, bytesIn + bytesOut])
  expect([framesIn > 3, framesOut > 2, reconnects]).toEqual([true, true, 0])
  expect([savedAfter, provider.rtt].every((time) => typeof time === 'number' && time > 0)).toBe(true)
})
