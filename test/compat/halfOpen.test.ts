import { afterEach, expect, test } from 'vitest'
import { SocketProxy } from '../../client/testing/node/socketProxy.ts'
import { namesSeenBy, openClient } from '../support/clients.ts'
import type { Client, ClientKind } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

const kinds: readonly ClientKind[] = ['y-websocket 1', 'y-websocket 3.1', 'hocuspocus 2', 'hocuspocus 4']
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function open(kind: ClientKind, url: string, name: string): Client {
  const client = openClient(kind, url, 'room', { presence: { name } })
  cleanups.push(() => client.destroy())
  return client
}

async function startBehindProxy(limits: Parameters<typeof TestServer.start>[0] = {}) {
  const server = await TestServer.start(limits)
  cleanups.push(() => server.dispose())
  const proxy = await SocketProxy.start(server.port)
  cleanups.push(() => proxy.close())
  return { server, proxy }
}

async function sees(client: Client, names: readonly string[], within?: number): Promise<void> {
  const expected = [...names].sort().join()
  const detail = () => namesSeenBy(client)
  const options = within === undefined ? { detail } : { detail, within }
  await eventually(() => namesSeenBy(client).join() === expected, `${client.kind} sees ${expected}`, options)
}

test('C106, P4: a socket that went silent is found out by ping, and its presence goes with it', async () => {
  const { server, proxy } = await startBehindProxy({ limits: { pingAfterMs: 1_000, pongTimeoutMs: 3_500 } })
  const watcher = open('y-websocket 3.1', server.url, 'watcher')
  const lost = kinds.map((kind) => open(kind, proxy.url, kind))
  await sees(watcher, ['watcher', ...kinds])
  proxy.goSilent()
  for (const client of lost) client.die()
  await sees(watcher, ['watcher'])
  await eventually(() => server.count('disconnected') === kinds.length, 'the server has given them up')
  expect(watcher.sockets.length, 'who answers its pings stays').toBe(1)
})

test(
  'A9.11, P4: a client back on a new socket while its old one is silent: seen, seeing, and not removed with the old one',
  { timeout: 60_000 },
  async () => {
    const { server, proxy } = await startBehindProxy()
    const watcher = open('hocuspocus 4', server.url, 'watcher')
    const returners = kinds.map((kind) => open(kind, proxy.url, kind))
    await sees(watcher, ['watcher', ...kinds])
    proxy.goSilent()
    for (const client of returners) client.sockets.at(-1)?.terminate()
    for (const client of returners)
      await eventually(() => client.sockets.length > 1 && client.synced, `${client.kind} is back`)
    // Changed while the server still waits for the old socket: the newest counts once it is given up.
    for (const client of returners) client.awareness.setLocalStateField('back', 1)
    await eventually(() => server.count('disconnected') === kinds.length, 'the old sockets are given up')
    for (const client of returners) {
      const seen = () => watcher.awareness.getStates().get(client.doc.clientID)
      await eventually(() => seen()?.['back'] === 1, `${client.kind} is seen as it is now`, { detail: seen })
      await sees(client, ['watcher', ...kinds])
    }
    for (const client of returners) client.awareness.setLocalStateField('back', 2)
    for (const client of returners) {
      const seen = () => watcher.awareness.getStates().get(client.doc.clientID)?.['back']
      await eventually(() => seen() === 2, `${client.kind} is still seen`, { detail: seen })
    }
    expect(server.count('disconnected')).toBe(kinds.length)
  },
)
