import { createDecoder, readVarString } from 'lib0/decoding'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { guarded, loadSharedSockets, SharedSocketServer } from './clientServers.ts'
import { ClientWorld, kinds, SERVER_URL } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import type { FakeDevice } from '../../client/testing/index.ts'

let world = new ClientWorld()

beforeAll(loadSharedSockets)

beforeEach(() => (world = new ClientWorld()))

afterEach(() => world.destroy())

/** Which document a frame on a shared socket is about. */
function roomOf(frame: Uint8Array): string {
  const [room = ''] = readVarString(createDecoder(frame)).split('\0')
  return room
}

/** Asks whether all is saved, and notes the answer. */
function asking({ provider }: Opened): { readonly ask: () => void; readonly answers: boolean[] } {
  const answers: boolean[] = []
  const ask = (): void =>
    void provider.whenSaved().then(
      () => answers.push(true),
      () => undefined, // the end of the test
    )
  return { ask, answers }
}

describe('whether an edit is saved, asked', () => {
  type Place = (opened: Opened, ask: () => void) => void
  const places: [string, Place][] = [
    ['in an observer', ({ doc }, ask) => doc.getText('text').observe(ask)],
    ['in a deep observer', ({ doc }, ask) => doc.getText('text').observeDeep(ask)],
    ['after the transaction', ({ doc }, ask) => doc.on('afterTransaction', ask)],
    ['before the observers', ({ doc }, ask) => doc.on('beforeObserverCalls', ask)],
    ['with the update', ({ doc }, ask) => doc.on('update', ask)],
    [
      'when it has been sent',
      ({ provider }, ask) => provider.on('frame', ({ direction }) => direction === 'out' && ask()),
    ],
  ]

  test.each(places)('%s, is not answered before it is', async (_where, place) => {
    const opened = await world.openSynced()
    const { ask, answers } = asking(opened)
    place(opened, ask)
    world.server.hold()
    opened.type('x')
    await world.pass(1_000)
    expect([answers, world.saved]).toEqual([[], ''])
    world.server.release()
    await world.pass(1_000)
    expect([answers.includes(true), world.saved]).toEqual([true, 'x'])
  })

  test('within its own transaction is not answered before it is', async () => {
    const opened = await world.openSynced()
    const { ask, answers } = asking(opened)
    world.server.hold()
    opened.doc.transact(() => {
      opened.type('x')
      ask()
    })
    await world.pass(1_000)
    expect(answers).toEqual([])
    world.server.release()
    await world.pass(1_000)
    expect([answers, world.saved]).toEqual([[true], 'x'])
  })

  test('where it is being sent, is asked behind it', async () => {
    const heard: Uint8Array[] = []
    world = new ClientWorld({ wrap: (server) => guarded(server, (message) => heard.push(message) > 0) })
    const opened = await world.openSynced()
    const { provider, type } = opened
    heard.length = 0
    provider.on('frame', ({ bytes }) => bytes[0] === 114 && provider.flush())
    provider.on('frame', ({ bytes }) => bytes[0] === 114 && asking(opened).ask())
    world.server.hold()
    type('x')
    await world.pass(0)
    expect(kinds(heard)).toEqual(['114', '102'])
  })

  test('after the end is not answered: nothing is counted any more', async () => {
    const { provider, type } = await world.openSynced()
    provider.destroy()
    type('x')
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'DESTROYED' })
  })
})

describe('a document that is opened again on a shared socket', () => {
  /** On a socket that another document shares, over a slow network. */
  async function typedBesideAnother(): Promise<{ one: Opened; device: FakeDevice }> {
    const device = world.device({ latencyMs: 70 })
    world.open(device, { multiplex: true }, 'other')
    const one = world.open(device, { multiplex: true })
    await world.pass(1_000)
    one.type('content')
    await world.pass(6_000)
    return { one, device }
  }

  test.each([0, 30, 100, 150, 250])(
    '%i ms after the socket is there again is in sync with all there is',
    async (wait) => {
      world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
      const { one, device } = await typedBesideAnother()
      device.network.cut()
      while (one.states.at(-1) !== 'open' || one.states.length < 5) await world.pass(1)
      await world.pass(wait)
      one.provider.destroy()
      const two = world.open(device, { multiplex: true })
      const synced = two.provider.whenSynced.then(() => two.text)
      await world.pass(2_000)
      expect([one.states.slice(2), await synced]).toEqual([['waiting', 'connecting', 'open', 'closed'], 'content'])
    },
  )

  test.each([5, 70, 200])(
    'while %i ms old questions are under way to a foreign server, is so as well',
    async (wait) => {
      world = new ClientWorld({ dialect: 'y-websocket', wrap: (server) => new SharedSocketServer(server, true) })
      const { one, device } = await typedBesideAnother()
      one.type(' and more')
      asking(one).ask()
      await world.pass(wait)
      one.provider.destroy()
      const two = world.open(device, { multiplex: true })
      const synced = two.provider.whenSynced.then(() => two.text)
      await world.pass(2_000)
      expect(await synced).toBe('content and more')
    },
  )

  test('has a name that is one: what stands behind a zero would be lost', async () => {
    world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
    const errors: unknown[] = []
    const { environment } = world.device()
    const provider = new WebsocketProvider(SERVER_URL, 'a\0b', new Y.Doc(), { environment, multiplex: true })
    provider.on('error', ({ code }) => errors.push(code))
    await world.pass(10)
    expect([errors[0], provider.synced]).toEqual(['SOCKET_FAILED', false])
    provider.destroy()
  })
})

test('a document of a shared socket that is never answered is asked for anew, and the others stay', async () => {
  const isMute = new Set(['mute'])
  const isPassed = (frame: Uint8Array): boolean => !isMute.has(roomOf(frame))
  world = new ClientWorld({ wrap: (server) => guarded(new SharedSocketServer(server), isPassed) })
  const device = world.device()
  const other = world.open(device, { multiplex: true })
  await world.pass(1_000)
  const mute = world.open(device, { multiplex: true }, 'mute')
  await world.pass(40_000)
  expect([mute.provider.synced, other.provider.synced, device.network.opened]).toEqual([false, true, 1])
  isMute.clear()
  await world.pass(60_000)
  expect([mute.provider.synced, other.provider.synced, device.network.opened]).toEqual([true, true, 1])
})
