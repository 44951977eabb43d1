import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import {
  attachHocuspocus,
  hocuspocusKinds,
  namesSeenBy,
  openClient,
  openHocuspocus,
  openHocuspocusSocket,
  textOf,
  write,
} from '../support/clients.ts'
import type { Client, HocuspocusClient, HocuspocusKind, HocuspocusProvider } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

const inPassing: { destroy(): void }[] = []
let engine: FaultyEngine
let server: TestServer
let peer: Client

beforeEach(async () => {
  engine = new FaultyEngine(new MemoryEngine())
  server = await TestServer.start({ engine })
  peer = keep(openClient('y-websocket 3.1', server.url, 'room', { presence: { name: 'peer' } }))
})

afterEach(async () => {
  for (const thing of inPassing.splice(0).reverse()) thing.destroy()
  await server.dispose()
})

function keep<T extends { destroy(): void }>(thing: T): T {
  inPassing.push(thing)
  return thing
}

function open(kind: HocuspocusKind, options: Parameters<typeof openHocuspocus>[3] = {}): HocuspocusClient {
  return keep(openHocuspocus(kind, server.url, 'room', options))
}

function saved(provider: HocuspocusProvider): Promise<void> {
  return eventually(() => provider.synced && provider.unsyncedChanges === 0, 'everything is saved', {
    detail: () => provider.unsyncedChanges,
  })
}

/**
 * As `saved`, for edits that went ahead of SyncStep1: version 2 then resets its counter with their messages still
 * unanswered, and ends below 0 with every server.
 */
function eventuallySaved(provider: HocuspocusProvider): Promise<void> {
  return eventually(() => provider.synced && provider.unsyncedChanges <= 0, 'everything is saved', {
    detail: () => provider.unsyncedChanges,
  })
}

function has(client: { readonly doc: Y.Doc }, text: string): Promise<void> {
  return eventually(() => textOf(client) === text, `the text is ${JSON.stringify(text)}`, {
    detail: () => textOf(client),
  })
}

/** Something the server handles after all that was sent before, without touching the log. */
async function roundTrip(from: Client, to: Client, mark: number): Promise<void> {
  from.awareness.setLocalStateField('mark', mark)
  const seen = () => to.awareness.getStates().get(from.doc.clientID)?.['mark']
  await eventually(() => seen() === mark, 'the mark has made its way', { detail: seen })
}

describe.each(hocuspocusKinds)('%s', (kind) => {
  test('A4: unsyncedChanges goes down to exactly 0, and never below, through edits, syncs and reconnects', async () => {
    const client = open(kind)
    await saved(client.provider)
    for (let edit = 0; edit < 20; edit += 1) write(client, `${String(edit)} `)
    expect(client.provider.unsyncedChanges).toBe(20)
    await saved(client.provider)
    for (let round = 0; round < 3; round += 1) {
      client.provider.forceSync()
      expect(client.provider.unsyncedChanges).toBe(1)
      await saved(client.provider)
    }
    await client.disconnect()
    client.connect()
    await eventually(() => client.sockets.length === 2, 'it has reconnected')
    await saved(client.provider)
    write(client, '!')
    await saved(client.provider)
    expect(Math.min(...client.unsynced)).toBe(0)
    await has(peer, textOf(client))
  })

  test('P1, A4: unsyncedChanges stays up, and nobody sees the edit, until it is durable', async () => {
    const client = open(kind)
    await saved(client.provider)
    await eventually(() => peer.synced, 'the peer is synced')
    const release = engine.hold('append')
    write(client, 'one')
    await eventually(() => engine.calls('append') === 1, 'the append has begun')
    write(client, 'two')
    for (let mark = 1; mark <= 3; mark += 1) await roundTrip(client, peer, mark)
    const late = keep(openClient('y-websocket 3.1', server.url, 'room'))
    expect(client.provider.unsyncedChanges).toBe(2)
    expect([textOf(peer), textOf(late), late.synced]).toEqual(['', '', false])
    release()
    await saved(client.provider)
    await Promise.all([has(peer, 'onetwo'), has(late, 'onetwo')])
  })

  test('P1: a failed append is repeated and not acknowledged before it worked', async () => {
    const client = open(kind)
    await saved(client.provider)
    engine.fail('append', 3, 'before')
    write(client, 'stubborn')
    await saved(client.provider)
    expect(server.count('commitFailed')).toBe(3)
    await has(peer, 'stubborn')
  })

  test('A4: edits made offline arrive and end up saved', async () => {
    const client = open(kind)
    await saved(client.provider)
    await client.disconnect()
    write(client, 'offline')
    client.connect()
    await has(peer, 'offline')
    await eventuallySaved(client.provider)
  })

  test('A4: two documents on one socket keep apart, and one may go without the other', async () => {
    const { socket, sockets } = openHocuspocusSocket(kind, server.url)
    keep(socket)
    const first = attachHocuspocus(kind, { name: 'room', websocketProvider: socket, document: new Y.Doc() })
    const second = attachHocuspocus(kind, { name: 'other room', websocketProvider: socket, document: new Y.Doc() })
    await Promise.all([saved(first), saved(second)])
    write({ doc: first.document }, 'first')
    write({ doc: second.document }, 'second')
    await Promise.all([saved(first), saved(second)])
    await has(peer, 'first')
    const other = keep(openClient('y-websocket 1', server.url, 'other%20room'))
    await has(other, 'second')
    first.destroy()
    await eventually(() => namesSeenBy(peer).length === 1, 'the first is gone')
    write({ doc: second.document }, '!')
    await saved(second)
    await has(other, 'second!')
    expect(sockets.length).toBe(1)
    second.destroy()
  })

  test('A9.7: destroyed, and attached again on the same socket', async () => {
    const { socket, sockets } = openHocuspocusSocket(kind, server.url)
    keep(socket)
    const anchor = attachHocuspocus(kind, { name: 'anchor', websocketProvider: socket, document: new Y.Doc() })
    for (let round = 1; round <= 3; round += 1) {
      const doc = new Y.Doc()
      const awareness = new Awareness(doc)
      awareness.setLocalState({ name: 'again' })
      const provider = attachHocuspocus(kind, { name: 'room', websocketProvider: socket, document: doc, awareness })
      await saved(provider)
      await eventually(() => namesSeenBy(peer).join(' ') === 'again peer', 'the peer sees it')
      write({ doc }, String(round))
      await saved(provider)
      provider.destroy()
      await eventually(() => namesSeenBy(peer).join(' ') === 'peer', 'the peer sees it gone')
    }
    await has(peer, '123')
    expect(sockets.length).toBe(1)
    anchor.destroy()
  })

  test('A4: with and without a token, and with one that takes its time while edits go ahead', async () => {
    const withToken = open(kind, { token: 'secret' })
    await saved(withToken.provider)
    let deliverToken = (_token: string): void => {}
    const token = new Promise<string>((resolve) => (deliverToken = resolve))
    const asynchronous = open(kind, { token: () => token })
    write(asynchronous, 'before the token;')
    await eventually(() => asynchronous.sockets[0]?.readyState === 1, 'its socket is open')
    write(asynchronous, 'still before;')
    deliverToken('secret')
    await eventuallySaved(asynchronous.provider)
    await has(peer, 'before the token;still before;')
    await has(withToken, 'before the token;still before;')
  })

  test('T5: a name that is none is denied, and the other documents of the socket go on', async () => {
    const { socket, sockets } = openHocuspocusSocket(kind, server.url)
    keep(socket)
    const good = attachHocuspocus(kind, { name: 'room', websocketProvider: socket, document: new Y.Doc() })
    await saved(good)
    const bad = attachHocuspocus(kind, { name: 'x'.repeat(600), websocketProvider: socket, document: new Y.Doc() })
    let failure: unknown = null
    bad.on('authenticationFailed', (payload) => (failure = payload))
    await eventually(() => failure !== null, 'it is told so')
    expect(failure).toMatchObject({ reason: 'document name longer than 512 bytes' })
    write({ doc: good.document }, 'good')
    await saved(good)
    await has(peer, 'good')
    expect(sockets.length).toBe(1)
    bad.destroy()
    good.destroy()
  })
})

describe('hocuspocus 4', () => {
  test('A4: sessionAwareness: the same document twice on one socket, two people', async () => {
    const { socket, sockets } = openHocuspocusSocket('hocuspocus 4', server.url)
    keep(socket)
    const [left, right] = ['left', 'right'].map((name) => {
      const document = new Y.Doc()
      const awareness = new Awareness(document)
      awareness.setLocalState({ name })
      const configuration = { name: 'room', websocketProvider: socket, document, awareness, sessionAwareness: true }
      return { provider: attachHocuspocus('hocuspocus 4', configuration), doc: document, awareness }
    })
    if (left === undefined || right === undefined) throw new Error('unreachable')
    await Promise.all([saved(left.provider), saved(right.provider)])
    await eventually(() => namesSeenBy(peer).join(' ') === 'left peer right', 'the peer sees both')
    await eventually(() => left.awareness.getStates().size === 3, 'left sees both others')
    write(left, 'l')
    await has(right, 'l')
    write(right, 'r')
    await Promise.all([has(left, 'lr'), has(peer, 'lr'), saved(left.provider), saved(right.provider)])
    left.provider.destroy()
    await eventually(() => namesSeenBy(peer).join(' ') === 'peer right', 'only one has left')
    write(right, '!')
    await has(peer, 'lr!')
    expect(sockets.length).toBe(1)
    right.provider.destroy()
  })
})
