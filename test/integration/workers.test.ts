import { afterEach, describe, expect, test } from 'vitest'
import { hocuspocusKinds, openClient, textOf, write } from '../support/clients.ts'
import type { Client, ClientKind } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { elsewhere, WorkersServer } from '../support/workersServer.ts'

let server: WorkersServer | null = null
let clients: Client[] = []

afterEach(async () => {
  for (const client of clients) client.destroy()
  clients = []
  await server?.dispose()
  server = null
})

async function start(...args: string[]): Promise<WorkersServer> {
  server = await WorkersServer.start(args)
  return server
}

async function open(kind: ClientKind, url: string, room: string): Promise<Client> {
  const client = openClient(kind, url, room)
  clients.push(client)
  await eventually(() => client.synced, `${kind} is synced`)
  return client
}

describe('clients on different workers', () => {
  test('P6: edit one document, whichever protocol they speak; what they wrote is there after a restart', async () => {
    const running = await start()
    const ada = await open('y-websocket 3.1', running.url, 'shared')
    for (const kind of hocuspocusKinds) await open(kind, running.url + elsewhere('shared'), 'shared')
    await open('hocuspocus 4', running.url, 'shared')
    const connections = await running.metric('scriptorium_connections')
    expect([...connections.values()].toSorted((a, b) => a - b)).toEqual([2, 3])
    for (const client of clients) write(client, `${client.kind} `)
    const length = clients.map(({ kind }) => `${kind} `).join('').length
    await eventually(() => clients.every((client) => textOf(client).length === length), 'all have everything', {
      detail: () => clients.map(textOf),
    })
    const text = textOf(ada)
    for (const client of clients) expect(textOf(client)).toBe(text)
    for (const client of clients.splice(0)) client.destroy()
    running.cli.child.kill('SIGTERM')
    expect((await running.cli.finished).code).toBe(0)
    server = await WorkersServer.start([], running)
    expect(textOf(await open('hocuspocus 4', server.url, 'shared'))).toBe(text)
  })
})
