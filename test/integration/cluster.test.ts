import { describe, expect, onTestFinished, test } from 'vitest'
import { MemoryEngine, MemoryStore } from '../../server/engine/memory/memoryEngine.ts'
import { Collaborator } from '../support/collaborator.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

async function nodes(count: number): Promise<TestServer[]> {
  const store = new MemoryStore()
  const started = await Promise.all(
    Array.from({ length: count }, () => TestServer.start({ engine: new MemoryEngine(store), metrics: true })),
  )
  onTestFinished(async () => {
    await Promise.all(started.map((server) => server.dispose()))
  })
  return started
}

async function join(server: TestServer, protocol: 'y-websocket' | 'hocuspocus', document = 'room') {
  const client = await Collaborator.open(server.port, document, { protocol })
  onTestFinished(() => client.destroy())
  return client
}

describe('several nodes', () => {
  test('P6, R1: an edit on one node reaches the others, in both protocols', async () => {
    const servers = await nodes(3)
    const clients = await Promise.all(
      servers.map((server, index) => join(server, index % 2 === 0 ? 'y-websocket' : 'hocuspocus')),
    )
    for (const [index, client] of clients.entries()) {
      client.type(`<${index}>`)
      for (const other of clients) await other.until(() => other.text.includes(`<${index}>`), `edit ${index} arrives`)
    }
    expect(new Set(clients.map((client) => client.text)).size).toBe(1)
  })

  test('N1: who is on one node is seen on the others, and gone when gone', async () => {
    const [first, second] = await nodes(2)
    if (first === undefined || second === undefined) throw new Error('unreachable')
    const here = await join(first, 'y-websocket')
    const there = await join(second, 'hocuspocus')
    here.announce('{"user":{"name":"Ada"}}', 1)
    await there.until(() => there.presence.has(here.doc.clientID), 'Ada is seen')
    expect(await second.server.cluster.presence('room')).toEqual([
      { client: here.doc.clientID, state: { user: { name: 'Ada' } } },
    ])
    here.destroy()
    await there.until(() => !there.presence.has(here.doc.clientID), 'Ada is gone')
    expect(await first.server.cluster.presence('room')).toEqual([])
  })

  test('O4: counts, presence and disconnecting are about all nodes', async () => {
    const [first, second, third] = await nodes(3)
    if (first === undefined || second === undefined || third === undefined) throw new Error('unreachable')
    const one = await join(first, 'y-websocket')
    const two = await join(second, 'hocuspocus')
    const elsewhere = await join(second, 'y-websocket', 'elsewhere')
    one.announce('{"n":1}', 1)
    // The third has the document not open: it has to ask.
    const states = async (): Promise<unknown[]> =>
      (await third.server.cluster.presence('room')).map(({ state }) => state)
    await eventually(async () => (await states()).length === 1, 'the third node is told')
    expect(await states()).toEqual([{ n: 1 }])
    expect(await third.server.cluster.presence('nobody is here')).toEqual([])
    await eventually(() => third.server.cluster.counts().connections === 3, 'counted', { within: 20_000 })
    expect(third.server.cluster.counts()).toEqual({ nodes: 3, connections: 3, documents: 3 })
    third.server.cluster.disconnect('room', 'maintenance '.repeat(50))
    for (const client of [one, two]) expect((await client.closed()).code).toBe(4500)
    expect(elsewhere.raw.closeFrame).toBeNull()
    await third.dispose()
    await eventually(() => first.server.cluster.counts().nodes === 2, 'the third is gone')
  })

  test('R5: what cannot be read on the control channel is dropped', async () => {
    const store = new MemoryStore()
    const server = await TestServer.start({ engine: new MemoryEngine(store) })
    onTestFinished(() => server.dispose())
    const stranger = new MemoryEngine(store)
    for (const kind of ['status', 'disconnect', 'ask-presence', 'presence', 'toString', 'unheard-of']) {
      for (const bytes of ['', '{', 'null', '{"connections":-1}', '[]'].map((text) => Buffer.from(text))) {
        stranger.publish('\u0000cluster', kind, bytes)
        stranger.publish('room', kind, bytes)
      }
    }
    const client = await join(server, 'y-websocket')
    for (const kind of ['presence', 'present', 'who', 'challenge', 'compacted']) {
      stranger.publish('room', kind, Buffer.from('ff00ff', 'hex'))
    }
    client.type('still here')
    await client.until(() => client.text === 'still here', 'it works')
    expect(server.server.cluster.counts().nodes).toBe(1)
  })
})
