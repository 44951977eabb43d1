import { Server } from '@hocuspocus/server'
import type { ServerConfiguration } from '@hocuspocus/server'
import { afterEach, expect, test } from 'vitest'
import type * as Y from 'yjs'
import type { ProviderOptions, WebsocketProvider } from '../../client/index.ts'
import { eventually } from '../support/eventually.ts'
import { openProvider } from '../support/provider.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(configuration: Partial<ServerConfiguration> = {}): Promise<Server> {
  const server = new Server({ ...configuration, port: 0, address: '127.0.0.1', quiet: true })
  await server.listen()
  cleanups.push(() => server.destroy())
  return server
}

function open(server: Server, room: string, options: ProviderOptions<WebsocketProvider> = {}): WebsocketProvider {
  const url = `ws://127.0.0.1:${String(server.address.port)}`
  return openProvider(cleanups, url, room, { multiplex: true, ...options })
}

function text(provider: WebsocketProvider): Y.Text {
  return provider.doc.getText('text')
}

test('a Hocuspocus server serves our client: several documents on one socket, presence, what it says about saving', async () => {
  const server = await start()
  const [first, other] = [open(server, 'a'), open(server, 'b')]
  const reader = open(server, 'a') // on a socket of its own: such a server takes one session of a document on each
  await Promise.all([first.whenSynced, other.whenSynced, reader.whenSynced])
  expect([first.ackLevel, server.hocuspocus.getConnectionsCount()]).toEqual(['received', 2])
  first.awareness.setLocalStateField('name', 'first')
  text(first).insert(0, 'typed')
  text(other).insert(0, 'elsewhere')
  await Promise.all([first.whenSaved(), other.whenSaved()])
  await eventually(() => text(reader).toJSON() === 'typed', 'it is there')
  await eventually(() => reader.awareness.getStates().get(first.doc.clientID)?.['name'] === 'first', 'it is seen')
  expect([first.unsavedChanges, other.unsavedChanges]).toEqual([0, 0])
})

test('a document it closes, or that is left and opened again, is in sync again while the socket stays', async () => {
  const server = await start()
  const [first, other] = [open(server, 'a'), open(server, 'b')]
  await Promise.all([first.whenSynced, other.whenSynced])
  let ends = 0
  first.on('connection-close', () => (ends += 1))
  for (let round = 1; round <= 3; round += 1) {
    server.hocuspocus.closeConnections('a')
    await eventually(() => ends === round, 'it has been closed')
    text(first).insert(0, 'x')
    await first.whenSaved()
  }
  await first.whenSynced
  for (let round = 0; round < 3; round += 1) {
    first.disconnect()
    first.connect()
    await first.whenSynced
    text(first).insert(0, 'y')
    await first.whenSaved()
  }
  expect([text(first).toJSON(), first.unsavedChanges, other.synced]).toEqual(['yyyxxx', 0, true])
  // Until the server has said that it knows of the end, the next part needs another socket; never more than that.
  expect(server.hocuspocus.getConnectionsCount()).toBeLessThanOrEqual(2)
})

test('a document that is opened again while answers are on their way is in sync with all there is, once', async () => {
  const server = await start()
  const reader = open(server, 'a', { params: { socket: 'another' } }) // such a server forgets what nobody has open
  const keep = open(server, 'b')
  let content = ''
  await Promise.all([reader.whenSynced, keep.whenSynced])
  for (let round = 0; round < 20; round += 1) {
    const one = open(server, 'a')
    await one.whenSynced
    expect(text(one).toJSON()).toContain(content.slice(0, -1)) // the last went over another socket, and may be behind
    await eventually(() => text(one).toJSON() === content, 'the last is there, too')
    text(one).insert(content.length, 'x')
    content += 'x'
    await one.whenSaved()
    text(one).insert(content.length, 'y')
    content += 'y'
    one.whenSaved().catch(() => undefined) // a question, whose answer is for nobody
    one.destroy()
  }
  const last = open(server, 'a')
  await last.whenSynced
  await eventually(() => text(last).toJSON() === content, 'all is there, once')
  expect(keep.synced).toBe(true)
})

test('a denial ends one document, and a better token brings it back', async () => {
  let isGood = true
  const server = await start({
    onAuthenticate: async ({ token, documentName }) => {
      if (documentName === 'a' && (token !== 'new' || !isGood)) throw new Error('denied')
    },
  })
  const other = open(server, 'b', { token: 'any' })
  await other.whenSynced
  const reasons: string[] = []
  const token = ({ reason }: { readonly reason: string }): string => {
    reasons.push(reason)
    return reason === 'rejected' ? 'new' : 'old'
  }
  const first = open(server, 'a', { token })
  await first.whenSynced
  text(first).insert(0, 'x')
  await first.whenSaved()
  expect([reasons, other.synced]).toEqual([['connect', 'rejected'], true])
  isGood = false
  const denied = open(server, 'a', { token: 'new' })
  await expect(denied.whenSynced).rejects.toMatchObject({ code: 'ACCESS_DENIED', closeCode: 4403 })
  isGood = true
  denied.connect()
  await denied.whenSynced
  await eventually(() => text(denied).toJSON() === 'x', 'it is there')
})
