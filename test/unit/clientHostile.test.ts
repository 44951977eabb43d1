import { runInNewContext } from 'node:vm'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { loadSharedSockets, SharedSocketServer } from './clientServers.ts'
import { ClientWorld } from './clientWorld.ts'

let world = new ClientWorld()

beforeAll(loadSharedSockets)

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

describe('a listener of the application that edits', () => {
  test('while the server is being told what it lacks does so after it, and nothing is called saved too early', async () => {
    const device = world.device()
    const { provider, doc, type } = world.open(device)
    type('a')
    const edited = new Promise<void>((resolve) => {
      provider.on('frame', ({ direction, bytes }) => {
        if (direction === 'in' || bytes[0] !== 0 || bytes[1] !== 1 || doc.getMap('map').size > 0) return
        doc.getMap('map').set('seen', true)
        resolve()
      })
    })
    await world.pass(1_000)
    await edited
    await world.pass(1_000)
    await provider.whenSaved()
    expect([world.saved, world.server.document('room').getMap('map').get('seen')]).toEqual(['a', true])
  })

  test('when it hears what another tab had written does so as well', async () => {
    const device = world.device()
    const [first, second] = [1, 2].map(() => world.open(device, { disableBc: false }))
    if (first === undefined || second === undefined) throw new Error('no tabs')
    await world.pass(1_000)
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(100)
    first.type('a')
    await world.pass(100)
    first.provider.destroy()
    second.provider.on('unsaved-changes', () => {
      if (second.text === 'a') second.type('b')
    })
    device.network.reachability = 'up'
    await world.pass(5_000)
    await second.provider.whenSaved()
    expect([world.saved, second.text]).toEqual(['ab', 'ab'])
  })
})

test('messages in buffers of another realm are read, as under test runners with a DOM of their own', async () => {
  const device = world.device()
  const Strange = class extends device.network.WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      let handler: WebSocket['onmessage'] = null
      Object.defineProperty(this, 'onmessage', {
        get: () => (event: MessageEvent<ArrayBuffer>) => {
          const data: unknown = runInNewContext('Uint8Array.from(bytes).buffer', {
            bytes: [...new Uint8Array(event.data)],
          })
          handler?.call(this, new MessageEvent('message', { data }))
        },
        set: (value: WebSocket['onmessage']) => {
          handler = value
        },
      })
    }
  }
  const { provider } = world.open(device, { WebSocketPolyfill: Strange })
  await world.pass(1_000)
  expect(provider.synced).toBe(true)
})

test('a frame on a shared socket whose address cannot be read is reported by all, and all come back', async () => {
  world = new ClientWorld({ wrap: (server) => new SharedSocketServer(server) })
  const device = world.device()
  const rooms = ['one', 'two'].map((room) => world.open(device, { multiplex: true }, room))
  const errors: string[] = []
  for (const { provider } of rooms) provider.on('error', ({ code }) => errors.push(code))
  await world.pass(10_000)
  world.say(new Uint8Array([255, 255, 255]))
  await world.pass(10_000)
  expect(errors).toEqual(['MALFORMED_FRAME', 'MALFORMED_FRAME'])
  expect([rooms.map(({ provider }) => provider.synced), device.network.opened]).toEqual([[true, true], 2])
})

test('a token that comes after the end sets no timer', async () => {
  let give = (_token: string): void => undefined
  const token = (): Promise<string> => new Promise((resolve) => (give = resolve))
  const { provider } = world.open(world.device(), { token })
  await world.pass(100)
  provider.destroy()
  give(['', btoa(JSON.stringify({ exp: Date.now() / 1_000 + 3_600 })), ''].join('.'))
  await world.pass(100)
  expect(world.clock.timers).toBe(0)
})

test('who is denied is still asked before the page is closed while something is not saved', async () => {
  const device = world.device()
  const { provider, type } = world.open(device, { preventUnsavedChanges: true })
  await world.pass(1_000)
  world.server.hold()
  type('x')
  world.close(4403)
  await world.pass(1_000)
  expect([provider.linkStatus.name, device.page.asksBeforeClosing]).toEqual(['denied', true])
  provider.destroy()
  expect(device.page.asksBeforeClosing).toBe(false)
})
