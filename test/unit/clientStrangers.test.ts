import { writeVarUint } from 'lib0/encoding'
import { readSyncMessage } from 'y-protocols/sync'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import { FakeNetwork } from '../../client/testing/index.ts'
import type { FakeDevice, LinkEnd } from '../../client/testing/index.ts'
import { concat, message } from '../support/rawMessages.ts'
import { ForeignServer, loadSharedSockets, SharedSocketServer } from './clientServers.ts'
import { ClientWorld, kinds, ROOM, SERVER_URL } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'

let world = new ClientWorld()

beforeAll(loadSharedSockets)

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

/** Long enough for everything that is said by itself, on this connection and on the next. */
async function stayAndReturn(device: FakeDevice): Promise<void> {
  await world.pass(40_000)
  device.network.cut()
  device.page.fire('online')
  await world.pass(10_000)
}

describe('a server that is not ours', () => {
  async function openForeign(): Promise<Opened & { device: FakeDevice }> {
    world = new ClientWorld({ dialect: 'y-websocket', wrap: (server) => new ForeignServer(server) })
    return world.openSynced()
  }

  test('is never sent a frame it does not know, whatever happens', async () => {
    const { provider, type, device } = await openForeign()
    for (let round = 0; round < 5; round += 1) {
      type('x')
      provider.awareness.setLocalStateField('round', round)
      void provider.whenSaved()
      await stayAndReturn(device)
    }
    provider.disconnect()
    await world.pass(100)
    expect([world.saved, provider.unsavedChanges]).toEqual(['xxxxx', 0]) // ForeignServer throws on anything else
  })

  test('is sent what Hocuspocus servers know and nothing else on a socket that is shared', async () => {
    world = new ClientWorld({ dialect: 'y-websocket', wrap: (server) => new SharedSocketServer(server, true) })
    const device = world.device()
    const options = { multiplex: true, token: 'token' }
    const [first, second] = [world.open(device, options), world.open(device, options, 'other')]
    for (let round = 0; round < 3; round += 1) {
      for (const { provider, type } of [first, second]) {
        type('x')
        provider.awareness.setLocalStateField('round', round)
        void provider.whenSaved()
      }
      await stayAndReturn(device)
    }
    first.provider.destroy()
    await world.pass(100)
    expect([world.saved, second.provider.unsavedChanges, second.provider.synced]).toEqual(['xxx', 0, true])
  })

  test('may say anything under the numbers of a dialect that is not its own', async () => {
    const { provider, type, device } = await openForeign()
    for (const message of [[7], [8, 0], [2, 2, 0]]) world.say(new Uint8Array(message))
    type('x')
    await world.pass(5_000)
    expect([provider.scope, provider.unsavedChanges, device.network.opened]).toEqual(['read-write', 0, 1])
  })

  test('proves nothing with what only our server says, and does not become ours by a hello that comes late', async () => {
    const { provider, type, sent } = await openForeign()
    world.server.hold()
    type('x')
    await world.pass(10)
    for (const message of [
      [102, 2, 255, 127],
      [112, 2, 1, 1],
      [113, 1, 1],
    ])
      world.say(new Uint8Array(message))
    type('y')
    await world.pass(10)
    expect([provider.unsavedChanges, provider.ackLevel, kinds(sent)]).toEqual([2, 'received', ['0 2', '0 2']])
  })

  test('may be told what it lacks by a reader of the application, and gets what is made after that', async () => {
    const device = world.device()
    const opened = world.open(device, { connect: false })
    const { provider, type } = opened
    type('offline ')
    provider.messageHandlers[0] = (encoder, decoder, owner, emitSynced) => {
      writeVarUint(encoder, 0)
      const type = readSyncMessage(decoder, encoder, owner.doc, owner)
      if (emitSynced && type === 1) owner.synced = true
    }
    provider.connect()
    await world.pass(5_000)
    type('online')
    await world.pass(5_000)
    expect([provider.synced, world.saved]).toEqual([true, 'offline online'])
  })

  test('has received an edit when it answers a question put after it, and no more is claimed', async () => {
    const { provider, type, sent } = await openForeign()
    expect(provider.ackLevel).toBe('received')
    world.server.hold()
    type('x')
    let isDone = false
    const saved = provider.whenSaved().then(() => {
      isDone = true
    })
    await world.pass(5_000)
    expect([isDone, kinds(sent)]).toEqual([false, ['0 2', '0 0']])
    world.server.release()
    await world.pass(1_000)
    await saved
    expect([world.saved, provider.unsavedChanges]).toEqual(['x', 0])
  })

  test('may take the place of ours behind the same address, and is then treated as what it is', async () => {
    const { provider, device, type } = await world.openSynced()
    expect(provider.ackLevel).toBe('durable')
    const other = new ClientWorld({ dialect: 'y-websocket', wrap: (server) => new ForeignServer(server) })
    device.network.cut()
    const foreign = other.device()
    const { doc } = provider
    provider.destroy()
    const again = new WebsocketProvider(SERVER_URL, ROOM, doc, {
      environment: { ...device.environment, webSocket: () => foreign.network.WebSocket, clock: other.clock },
    })
    type('x')
    await other.pass(2_000)
    expect([again.ackLevel, again.unsavedChanges, other.saved]).toEqual(['received', 0, 'x'])
    again.destroy()
  })

  test('that never asks what it lacks is told all the same', async () => {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'offline ')
    const device = world.device()
    const heard: string[] = []
    const mute = {
      accept: (end: LinkEnd): void => {
        end.listener = {
          onMessage: (message) => {
            heard.push(`${String(message[0])} ${String(message[1])}`)
            if (message[0] === 0 && message[1] === 0) end.send(new Uint8Array([0, 1, 2, 0, 0]))
          },
          onClose: () => undefined,
        }
      },
    }
    const network = new FakeNetwork({ clock: world.clock, server: mute })
    const provider = new WebsocketProvider(SERVER_URL, ROOM, doc, {
      environment: { ...device.environment, webSocket: () => network.WebSocket },
    })
    await world.pass(900)
    expect([provider.synced, heard.filter((kind) => kind === '0 2')]).toEqual([true, []])
    await world.pass(5_000)
    doc.getText('text').insert(8, 'online')
    await world.pass(5_000)
    expect(heard.filter((kind) => kind === '0 2').length).toBe(2)
    expect([provider.ackLevel, provider.unsavedChanges]).toEqual(['received', 0])
    provider.destroy()
  })

  test('may put several messages into one frame, of which whoever has left in between gets no more', async () => {
    const { provider, doc } = await openForeign()
    const stranger = new Y.Doc()
    stranger.getText('text').insert(0, 'two')
    const first = Y.encodeStateAsUpdate(stranger)
    const known = Y.encodeStateVector(stranger)
    stranger.getText('text').insert(3, ' three')
    const frame = concat(message.update(first), message.update(Y.encodeStateAsUpdate(stranger, known)))
    doc.once('update', () => provider.destroy())
    world.say(frame)
    await world.pass(1_000)
    expect(doc.getText('text').toJSON()).toBe('two')
  })
})
