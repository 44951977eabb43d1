import { createDecoder, readVarString } from 'lib0/decoding'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Acceptor, Dialect, FakeDevice, FakeServer, LinkEnd } from '../../client/testing/index.ts'
import { authenticated, MessageType } from '../../shared/wire/messages.ts'
import { encodeString } from '../../shared/wire/writer.ts'
import { loadSharedSockets, SharedSocketServer } from './clientServers.ts'
import { ClientWorld, ROOM } from './clientWorld.ts'
import type { Opened, Options } from './clientWorld.ts'

const REFUSED = [MessageType.syncStatus, 0]

/** Takes no edits from anybody while `isReadOnly`, and says so, as Hocuspocus servers do. */
class ReadOnlyServer implements Acceptor {
  isReadOnly = true
  readonly #server: SharedSocketServer

  constructor(server: FakeServer) {
    this.#server = new SharedSocketServer(server)
  }

  accept(end: LinkEnd, url: URL): void {
    this.#server.accept(end, url)
    const { listener } = end
    if (listener === null) return
    end.listener = {
      onMessage: (frame) => {
        const decoder = createDecoder(frame)
        const address = encodeString(readVarString(decoder))
        const [type, kind] = frame.subarray(decoder.pos)
        const reply = (message: Iterable<number>): void => end.send(new Uint8Array([...address, ...message]))
        if (type === MessageType.auth) reply(authenticated(this.isReadOnly ? 'readonly' : 'read-write'))
        const isUpload = (type === MessageType.sync && kind !== 0) || type === MessageType.countedUpdate
        if (this.isReadOnly && isUpload) reply(REFUSED)
        else listener.onMessage(frame)
      },
      onClose: (close) => listener.onClose(close),
    }
  }
}

let world = new ClientWorld()

beforeAll(loadSharedSockets)

afterEach(() => {
  world.destroy()
})

interface Refused {
  readonly opened: Opened
  readonly server: ReadOnlyServer
  readonly told: unknown[]
  readonly device: FakeDevice
}

async function open(dialect: Dialect, options: Options = {}): Promise<Refused> {
  const servers: ReadOnlyServer[] = []
  world = new ClientWorld({
    dialect,
    wrap: (inner) => {
      servers.push(new ReadOnlyServer(inner))
      return servers[0] as ReadOnlyServer
    },
  })
  const device = world.device()
  const opened = world.open(device, { multiplex: true, ...options })
  const told: unknown[] = []
  opened.provider.on('saved', () => told.push('saved'))
  opened.provider.on('scope', (scope) => told.push(scope))
  opened.provider.on('authenticated', ({ scope }) => told.push({ scope }))
  await world.pass(10_000)
  return { opened, server: servers[0] as ReadOnlyServer, told, device }
}

describe.each(['scriptorium', 'y-websocket'] as const)('edits that a server (%s) refuses', (dialect) => {
  test('are never called saved', async () => {
    const { opened, told } = await open(dialect)
    const { provider, type } = opened
    type('x')
    await expect(provider.whenSaved()).rejects.toMatchObject({ code: 'READ_ONLY' })
    type('y')
    await world.pass(15_000)
    expect([provider.scope, provider.unsavedChanges, world.saved]).toEqual(['readonly', 2, ''])
    expect(told).toEqual([{ scope: 'readonly' }, 'readonly'])
  })

  test('are sent again when it takes them', async () => {
    const { opened, server } = await open(dialect)
    const { provider, type } = opened
    type('x')
    await world.pass(10_000)
    server.isReadOnly = false
    world.say(new Uint8Array([...encodeString(ROOM), ...authenticated('read-write')]))
    await world.pass(10_000)
    await provider.whenSaved()
    expect([provider.scope, provider.unsavedChanges, world.saved]).toEqual(['read-write', 0, 'x'])
  })

  test('are those made here, and not what another tab has told of', async () => {
    const { opened, device } = await open(dialect, { disableBc: false })
    const other = world.open(device, { disableBc: false, connect: false })
    other.type('of another tab')
    other.provider.connectBc()
    await world.pass(10_000)
    expect([opened.text, opened.provider.scope, opened.provider.unsavedChanges]).toEqual([
      'of another tab',
      'readonly',
      0,
    ])
  })

  test('because it has become read only meanwhile are not either', async () => {
    const { opened, server } = await open(dialect)
    server.isReadOnly = false
    world.close(1012)
    await world.pass(10_000)
    expect(opened.provider.scope).toBe('read-write')
    server.isReadOnly = true // and only its refusals say so
    opened.type('x')
    await world.pass(60_000)
    expect([opened.provider.scope, opened.provider.unsavedChanges, world.saved]).toEqual(['readonly', 1, ''])
  })
})
