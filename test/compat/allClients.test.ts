import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { clientKinds, namesSeenBy, openClient, textOf, usesPath, write } from '../support/clients.ts'
import type { Client, ClientKind, ClientOptions } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

let server: TestServer
let clients: Client[] = []

beforeEach(async () => {
  server = await TestServer.start()
  clients = []
})

afterEach(async () => {
  for (const client of clients) client.destroy()
  await server.dispose()
})

function open(kind: ClientKind, room: string, options: ClientOptions = {}): Client {
  const client = openClient(kind, server.url, room, options)
  clients.push(client)
  return client
}

function openAll(room: string, options: ClientOptions = {}): Client[] {
  return clientKinds.map((kind) => open(kind, room, options))
}

async function allSynced(): Promise<void> {
  for (const client of clients) await eventually(() => client.synced, `${client.kind} is synced`)
}

/** All have the same text, made of exactly these pieces. */
async function allHave(pieces: readonly string[]): Promise<void> {
  const length = pieces.join('').length
  for (const client of clients) {
    await eventually(
      () => textOf(client).length === length && pieces.every((piece) => textOf(client).includes(piece)),
      `${client.kind} has all pieces once`,
      { detail: () => textOf(client) },
    )
  }
  expect(new Set(clients.map(textOf)).size).toBe(1)
}

async function allSee(names: readonly string[], among = clients): Promise<void> {
  const expected = JSON.stringify([...names].sort())
  for (const client of among) {
    await eventually(() => JSON.stringify(namesSeenBy(client)) === expected, `${client.kind} sees ${expected}`, {
      detail: () => namesSeenBy(client),
    })
  }
}

describe('seven kinds of client on one document', () => {
  test('everybody is synced, everybody edits, all converge, and the server holds the same', async () => {
    openAll('room')
    await allSynced()
    const pieces = clients.map((client) => `[${client.kind}]`)
    for (const client of clients) write(client, `[${client.kind}]`)
    await allHave(pieces)
    const more = clients.map((client) => `<${client.kind}>`)
    for (const client of clients) write(client, `<${client.kind}>`)
    await allHave([...pieces, ...more])
    const late = open('y-websocket 3.1', 'room')
    await eventually(() => textOf(late) === textOf(clients[0] ?? late), 'a latecomer has it all')
  })

  test('P4: presence is complete on every one, and only who leaves disappears', async () => {
    const [first, ...rest] = openAll('room')
    await allSynced()
    await allSee(clientKinds)
    await first?.disconnect()
    await allSee(clientKinds.slice(1), rest)
    const leaver = rest.at(-1)
    await leaver?.disconnect()
    await allSee(clientKinds.slice(1, -1), rest.slice(0, -1))
  })

  test.each(clientKinds)('P4: %s dies without a word: its presence goes with its socket', async (kind) => {
    const watcher = open('y-websocket 3.1', 'room', { presence: { name: 'watcher' } })
    const other = open('hocuspocus 4', 'room', { presence: { name: 'other' } })
    const victim = open(kind, 'room', { presence: { name: 'victim' } })
    await allSee(['other', 'victim', 'watcher'])
    victim.die()
    await allSee(['other', 'watcher'], [watcher, other])
  })

  test.each(clientKinds)('P4: %s disconnects and returns: visible at once, both ways, and once only', async (kind) => {
    const yWebsocket = open('y-websocket 3.1', 'room', { presence: { name: 'y' } })
    const hocuspocus = open('hocuspocus 4', 'room', { presence: { name: 'h' } })
    const returner = open(kind, 'room', { presence: { name: 'returner' } })
    await allSee(['h', 'returner', 'y'])
    for (let round = 0; round < 3; round += 1) {
      await returner.disconnect()
      await allSee(['h', 'y'], [yWebsocket, hocuspocus])
      returner.connect()
      await allSee(['h', 'returner', 'y'])
      returner.awareness.setLocalStateField('round', round)
      for (const peer of [yWebsocket, hocuspocus]) {
        const seen = () => peer.awareness.getStates().get(returner.doc.clientID)?.['round']
        await eventually(() => seen() === round, `${peer.kind} sees the change after the return`, { detail: seen })
        // Heard once before the next return, as every client is at least every 15 s.
        peer.awareness.setLocalStateField('round', round)
        const back = () => returner.awareness.getStates().get(peer.doc.clientID)?.['round']
        await eventually(() => back() === round, `${kind} sees the change of ${peer.kind}`, { detail: back })
      }
    }
  })

  test.each(clientKinds)('P4: %s loses its socket and comes back by itself: visible at once', async (kind) => {
    const yWebsocket = open('y-websocket 3.1', 'room', { presence: { name: 'y' } })
    const returner = open(kind, 'room', { presence: { name: 'returner' } })
    await allSee(['returner', 'y'])
    returner.sockets.at(-1)?.terminate()
    await eventually(() => returner.sockets.length > 1, 'it has reconnected')
    await allSee(['returner', 'y'])
    await yWebsocket.disconnect()
    await allSee(['returner'], [returner])
  })

  test('P4: after a restart of the server everybody is visible again at once, without a ghost', async () => {
    openAll('room')
    await allSynced()
    await allSee(clientKinds)
    const before = clients.map((client) => client.sockets.length)
    server = await server.restart()
    for (const [index, client] of clients.entries()) {
      await eventually(() => client.sockets.length > (before[index] ?? 0), `${client.kind} has reconnected`)
    }
    await allSynced()
    await allSee(clientKinds)
  })

  test('A6: presence comes to rest: no clock rises but that of who changes something', async () => {
    openAll('room')
    await allSee(clientKinds)
    for (const client of clients) await client.disconnect()
    for (const client of clients) client.connect()
    await allSee(clientKinds)
    const [mover, witness] = [clients[0], clients.at(-1)]
    if (mover === undefined || witness === undefined) throw new Error('unreachable')
    const clocks = () => clients.map((client) => witness.awareness.meta.get(client.doc.clientID)?.clock)
    const move = async (step: number): Promise<void> => {
      mover.awareness.setLocalStateField('step', step)
      await eventually(
        () => witness.awareness.getStates().get(mover.doc.clientID)?.['step'] === step,
        'the step is seen',
      )
    }
    // What is told anew every 15 s is told now, so that it will not be in between.
    for (const client of clients) client.awareness.setLocalStateField('rests', true)
    const rests = () => [...witness.awareness.getStates().values()].filter((state) => state['rests'] === true)
    await eventually(() => rests().length === clients.length, 'all have told their presence')
    for (let step = 1; step <= 10; step += 1) await move(step)
    const [moverBefore = 0, ...before] = clocks()
    for (let step = 11; step <= 30; step += 1) await move(step)
    const [moverAfter = 0, ...after] = clocks()
    expect(after).toEqual(before)
    expect(moverAfter - moverBefore).toBe(20)
  })

  test('P1: edits made before connecting and while disconnected arrive', async () => {
    openAll('room', { connect: false })
    for (const client of clients) write(client, `[before ${client.kind}]`)
    for (const client of clients) client.connect()
    await allSynced()
    const before = clients.map((client) => `[before ${client.kind}]`)
    await allHave(before)
    for (const client of clients) await client.disconnect()
    for (const client of clients) write(client, `[offline ${client.kind}]`)
    for (const client of clients) client.connect()
    await allHave([...before, ...clients.map((client) => `[offline ${client.kind}]`)])
  })

  test('P1: edits made while the server is down arrive once it is back', async () => {
    openAll('room')
    await allSynced()
    for (const client of clients) write(client, `[before ${client.kind}]`)
    const before = clients.map((client) => `[before ${client.kind}]`)
    await allHave(before)
    await server.server.close()
    for (const client of clients) write(client, `[down ${client.kind}]`)
    server = await server.restart()
    await allHave([...before, ...clients.map((client) => `[down ${client.kind}]`)])
  })

  test.each(['with space', 'team/notes/1', 'Straße/日本語 🙂', 'a%b', '__proto__'])(
    'A3: the name %j is one document for both families',
    async (name) => {
      // y-websocket puts the name into the URL as it is; a percent sign is for its user to escape.
      const path = name.replaceAll('%', '%25')
      for (const kind of clientKinds) open(kind, usesPath(kind) ? path : name)
      await allSynced()
      for (const client of clients) write(client, `[${client.kind}]`)
      await allHave(clients.map((client) => `[${client.kind}]`))
      expect(server.server.documents.names()).toEqual([name])
    },
  )
})
