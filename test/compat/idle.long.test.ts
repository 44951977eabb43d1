import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { SocketProxy } from '../../client/testing/node/socketProxy.ts'
import { clientKinds, namesSeenBy, openClient } from '../support/clients.ts'
import type { Client } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

/** All clients leave a connection they hear nothing on for 30 s, and look every 3 s. */
const IDLE_MS = 40_000
/** P4's promise. */
const GONE_WITHIN_MS = 30_000

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start(): Promise<TestServer> {
  const server = await TestServer.start()
  cleanups.push(() => server.dispose())
  return server
}

function keep(client: Client): Client {
  cleanups.push(() => client.destroy())
  return client
}

test('A9.1, C107, C108: idle clients, alone and together, with presence and without, never reconnect', async () => {
  const server = await start()
  const clients = clientKinds.flatMap((kind) => [
    keep(openClient(kind, server.url, 'together')),
    keep(openClient(kind, server.url, 'together without', { presence: null })),
    keep(openClient(kind, server.url, `alone ${kind}`)),
    keep(openClient(kind, server.url, `alone without ${kind}`, { presence: null })),
  ])
  for (const client of clients) await eventually(() => client.synced, `${client.kind} is synced`)
  await pause(IDLE_MS)
  const reconnected = clients.filter((client) => client.sockets.length > 1 || !client.synced)
  expect(reconnected.map(({ kind }) => kind)).toEqual([])
  expect(server.count('disconnected')).toBe(0)
})

test('P4, C106: presence of a socket that went silent is gone within 30 s, with the limits as they are', async () => {
  const server = await start()
  const proxy = await SocketProxy.start(server.port)
  cleanups.push(() => proxy.close())
  const watcher = keep(openClient('y-websocket 3.1', server.url, 'room', { presence: { name: 'watcher' } }))
  const lost = clientKinds.map((kind) => keep(openClient(kind, proxy.url, 'room')))
  await eventually(() => namesSeenBy(watcher).length === lost.length + 1, 'everybody is there')
  proxy.goSilent()
  for (const client of lost) client.die()
  await eventually(() => namesSeenBy(watcher).join() === 'watcher', 'only the watcher is left', {
    within: GONE_WITHIN_MS,
  })
})
