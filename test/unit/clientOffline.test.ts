import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import type { StoredDocument } from '../../client/environment.ts'
import type { Acceptor, FakeDevice, FakeServer } from '../../client/testing/index.ts'
import { syncStep1 } from '../../shared/wire/messages.ts'
import { ClientWorld, ROOM, SERVER_URL } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

/** A tab with persistence; `reload` closes it and opens another on the same device. */
function openTab(device: FakeDevice, options = {}): Opened {
  return world.open(device, { persistence: true, ...options })
}

/** As y-websocket's own server: its one question comes when the connection opens, and SyncStep1 is answered, not returned. */
function asksAtOnce(server: FakeServer): Acceptor {
  return {
    accept: (end, url) => {
      const send = end.send.bind(end)
      server.accept(end, url)
      send(syncStep1(Y.encodeStateVector(server.document(ROOM))))
      const isQuestion = (data: Uint8Array): boolean => data[0] === 0 && data[1] === 0
      Object.assign(end, { send: (data: Uint8Array) => void (isQuestion(data) || send(data)) })
    },
  }
}

function close({ provider, doc }: Opened): void {
  provider.destroy()
  doc.destroy()
}

describe('a document kept on this device', () => {
  test('is there after a reload without any network, and reaches the server when there is one', async () => {
    const device = world.device()
    device.network.reachability = 'refusing'
    const before = openTab(device)
    before.type('un')
    before.type('saved')
    await world.pass(1_000)
    close(before)
    const after = openTab(device)
    await world.pass(10)
    expect([after.text, after.provider.unsavedChanges, world.saved]).toEqual(['unsaved', 2, ''])
    let isSaved = false
    void after.provider.whenSaved().then(() => {
      isSaved = true
    })
    await world.pass(1_000)
    expect(isSaved).toBe(false)
    device.network.reachability = 'up'
    await world.pass(5_000)
    expect([isSaved, world.saved, after.provider.unsavedChanges]).toEqual([true, 'unsaved', 0])
  })

  test('is known to be saved after a reload, when it was', async () => {
    const device = world.device()
    const before = openTab(device)
    before.type('saved')
    await world.pass(1_000)
    close(before)
    device.network.reachability = 'refusing'
    const after = openTab(device)
    await world.pass(1_000)
    expect([after.text, after.provider.unsavedChanges]).toEqual(['saved', 0])
    await after.provider.whenSaved()
    after.type('!')
    await world.pass(1_000)
    close(after)
    const last = openTab(device)
    await world.pass(1_000)
    expect([last.text, last.provider.unsavedChanges]).toEqual(['saved!', 1])
  })

  test('holds what others wrote, too', async () => {
    const device = world.device()
    const [reader, author] = [openTab(device), world.open(world.device())]
    author.type('from elsewhere')
    await world.pass(1_000)
    close(reader)
    device.network.reachability = 'silent'
    const after = openTab(device)
    await world.pass(1_000)
    expect([after.text, after.provider.synced, after.provider.unsavedChanges]).toEqual(['from elsewhere', false, 0])
  })

  test('does not claim as saved what only another tab has written', async () => {
    const device = world.device()
    const tabs = [world.open(device, { disableBc: false }), openTab(device, { disableBc: false })]
    await world.pass(100)
    device.network.reachability = 'refusing'
    device.network.cut()
    tabs[0]?.type('never sent')
    await world.pass(100)
    expect(tabs[1]?.text).toBe('never sent')
    for (const tab of tabs) close(tab)
    const after = openTab(device)
    await world.pass(100)
    expect(after.text).toBe('never sent')
    expect(after.provider.unsavedChanges).toBeGreaterThan(0)
  })

  test('is worked on although the store fails, which is told, and is complete again once it works', async () => {
    const device = world.device()
    const errors: string[] = []
    const tab = openTab(device)
    tab.provider.on('error', ({ code }) => errors.push(code))
    await world.pass(100)
    device.stores.fail(new Error('disk full'))
    tab.type('lost on the device,')
    await world.pass(100)
    expect(errors.length).toBeGreaterThan(0)
    expect(new Set(errors)).toEqual(new Set(['DEVICE_STORE_FAILED']))
    expect([tab.provider.unsavedChanges, world.saved]).toEqual([0, 'lost on the device,'])
    device.stores.fail(null)
    tab.type(' but not for long')
    await world.pass(100)
    close(tab)
    device.network.reachability = 'refusing'
    const after = openTab(device)
    await world.pass(100)
    expect(after.text).toBe('lost on the device, but not for long')
  })

  test('does not keep the first words to the server waiting for ever', async () => {
    const device = world.device()
    const store = device.stores.open('never', SERVER_URL)
    const { provider } = world.open(device, {
      persistence: () => ({ ...store, load: () => new Promise(() => undefined) }),
    })
    await world.pass(2_900)
    expect(provider.synced).toBe(false)
    await world.pass(200)
    expect(provider.synced).toBe(true)
  })

  test('reaches a server that asks once, as soon as we are connected, while the device is still being read', async () => {
    const early = new ClientWorld({ dialect: 'y-websocket', wrap: asksAtOnce })
    const device = early.device()
    const store = device.stores.open(ROOM, SERVER_URL)
    const kept = new Y.Doc()
    kept.getText('text').insert(0, 'kept')
    await store.append(Y.encodeStateAsUpdate(kept), false)
    const load = async (): Promise<StoredDocument> => {
      await new Promise<void>((resolve) => early.clock.after(500, resolve))
      return store.load()
    }
    const { provider, type } = early.open(device, { persistence: () => ({ ...store, load }) })
    await early.pass(20)
    type('typed')
    await early.pass(10_000)
    expect(['kepttyped', 'typedkept']).toContain(early.saved)
    expect(provider.unsavedChanges).toBe(0)
    early.destroy()
  })

  test('reaches a server that has lost it and asks once, although it was saved there', async () => {
    const lost = new ClientWorld({ dialect: 'y-websocket', wrap: asksAtOnce })
    const device = lost.device()
    const store = device.stores.open(ROOM, SERVER_URL)
    const kept = new Y.Doc()
    kept.getText('text').insert(0, 'kept')
    await store.append(Y.encodeStateAsUpdate(kept), true)
    const load = async (): Promise<StoredDocument> => {
      await new Promise<void>((resolve) => lost.clock.after(500, resolve))
      return store.load()
    }
    const { provider, type } = lost.open(device, { persistence: () => ({ ...store, load }) })
    await lost.pass(5_000)
    expect(lost.saved).toBe('kept')
    type(' and typed')
    await lost.pass(5_000)
    expect([lost.saved, provider.unsavedChanges]).toEqual(['kept and typed', 0])
    lost.destroy()
  })

  test('is saved on the server it was saved on, and on no other', async () => {
    const device = world.device()
    const open = (serverUrl: string): WebsocketProvider =>
      new WebsocketProvider(serverUrl, ROOM, new Y.Doc(), {
        environment: device.environment,
        disableBc: true,
        persistence: true,
      })
    const first = open(SERVER_URL)
    first.doc.getText('text').insert(0, 'x')
    await world.pass(1_000)
    expect(first.unsavedChanges).toBe(0)
    first.destroy()
    device.network.reachability = 'refusing'
    const [other, same] = [open('ws://elsewhere.test'), open(SERVER_URL)]
    await world.pass(100)
    expect([other.doc.getText('text').length, other.unsavedChanges, same.unsavedChanges]).toEqual([1, 1, 0])
    other.destroy()
    same.destroy()
  })

  test('is known to be saved also when another tab of the device wrote it', async () => {
    const device = world.device()
    const tabs = [openTab(device, { disableBc: false }), openTab(device, { disableBc: false })]
    await world.pass(100)
    tabs[0]?.type('from one to the other')
    await world.pass(5_000)
    expect(tabs[1]?.text).toBe('from one to the other')
    for (const tab of tabs) close(tab)
    device.network.reachability = 'refusing'
    const after = openTab(device)
    await world.pass(100)
    expect([after.text, after.provider.unsavedChanges]).toEqual(['from one to the other', 0])
  })

  test('is gone after clearPersistence', async () => {
    const device = world.device()
    const tab = openTab(device)
    tab.type('secret')
    await world.pass(100)
    await tab.provider.clearPersistence()
    close(tab)
    device.network.reachability = 'refusing'
    const after = openTab(device)
    await world.pass(100)
    expect(after.text).toBe('')
  })
})

test('persistence where there is no store is refused, and says why', () => {
  const environment = { ...world.device().environment, openStore: null }
  expect(() => new WebsocketProvider(SERVER_URL, ROOM, new Y.Doc(), { environment, persistence: true })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', option: 'persistence' }),
  )
})
