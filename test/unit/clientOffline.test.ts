import 'fake-indexeddb/auto'
import { afterEach, describe, expect, test } from 'vitest'
import { clearDocument, IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { openIndexedDbStore } from '../../client/indexedDbStore.ts'
import { systemEnvironment, WebsocketProvider } from '../../client/index.ts'
import type { StoredDocument } from '../../client/environment.ts'
import type { Acceptor, FakeDevice, FakeServer } from '../../client/testing/index.ts'
import { syncStep1 } from '../../shared/wire/messages.ts'
import { eventually } from '../support/eventually.ts'
import { ClientWorld, ROOM } from './clientWorld.ts'
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
    const store = openIndexedDbStore('never')
    const { provider } = world.open(device, {
      persistence: () => ({ ...methods(store), load: () => new Promise(() => undefined) }),
    })
    await world.pass(2_900)
    expect(provider.synced).toBe(false)
    await world.pass(200)
    expect(provider.synced).toBe(true)
  })

  test('reaches a server that asks once, as soon as we are connected, while the device is still being read', async () => {
    const early = new ClientWorld({ dialect: 'y-websocket', wrap: asksAtOnce })
    const device = early.device()
    const store = device.stores.open(ROOM)
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

function methods(store: ReturnType<typeof openIndexedDbStore>) {
  return {
    load: () => store.load(),
    append: (update: Uint8Array, isSaved: boolean) => store.append(update, isSaved),
    markSaved: () => store.markSaved(),
    clear: () => store.clear(),
    close: () => store.close(),
  }
}

describe('IndexedDB', () => {
  let databases = 0

  function freshName(): string {
    databases += 1
    return `room ${String(databases)}/ü`
  }

  function update(text: string): Uint8Array {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, text)
    return Y.encodeStateAsUpdate(doc)
  }

  async function textOfStore(name: string): Promise<{ text: string; unsaved: number; entries: number }> {
    const store = openIndexedDbStore(name)
    const { updates, unsaved } = await store.load()
    await store.close()
    const doc = new Y.Doc()
    for (const entry of updates) Y.applyUpdate(doc, entry)
    return { text: doc.getText('text').toJSON(), unsaved, entries: updates.length }
  }

  test('what y-indexeddb wrote is read, and counts as unsaved', async () => {
    const name = freshName()
    const doc = new Y.Doc()
    const other = new IndexeddbPersistence(name, doc)
    await other.whenSynced
    doc.getText('text').insert(0, 'theirs')
    await other.set('key of the application', 'value')
    await other.destroy()
    const { text, unsaved } = await textOfStore(name)
    expect(text).toBe('theirs')
    expect(unsaved).toBeGreaterThan(0)
  })

  test('y-indexeddb reads what was written here, and the application keeps its own keys', async () => {
    const name = freshName()
    const store = openIndexedDbStore(name)
    await store.load()
    for (const letter of 'abc') await store.append(update(letter), false)
    await store.markSaved()
    await store.close()
    const doc = new Y.Doc()
    const other = new IndexeddbPersistence(name, doc)
    await other.whenSynced
    expect(doc.getText('text').toJSON().split('').toSorted()).toEqual(['a', 'b', 'c'])
    await other.set('key', 'value')
    await other.destroy()
    const again = openIndexedDbStore(name)
    await again.append(update('d'), true)
    await again.close()
    const last = new IndexeddbPersistence(name, new Y.Doc())
    expect(await last.get('key')).toBe('value')
    await last.destroy()
    await clearDocument(name)
  })

  test('both in two tabs at the same time lose nothing, also when they tidy up', async () => {
    const name = freshName()
    const [ours, theirs] = [new Y.Doc(), new Y.Doc()]
    const other = new IndexeddbPersistence(name, theirs)
    await other.whenSynced
    const store = openIndexedDbStore(name)
    await store.load()
    const writes: Promise<void>[] = []
    ours.on('update', (entry: Uint8Array) => void writes.push(store.append(entry, false)))
    for (let count = 0; count < 520; count += 1) {
      ours.getArray('ours').push([count])
      if (count % 2 === 0) theirs.getArray('theirs').push([count])
    }
    await Promise.all(writes)
    await store.close()
    await other.destroy()
    const again = openIndexedDbStore(name)
    const { updates } = await again.load()
    await again.close()
    const doc = new Y.Doc()
    for (const entry of updates) Y.applyUpdate(doc, entry)
    expect([doc.getArray('ours').length, doc.getArray('theirs').length]).toEqual([520, 260])
    expect(updates.length).toBeLessThan(500)
  })

  test('500 entries become one, and what was saved stays saved', async () => {
    const name = freshName()
    const store = openIndexedDbStore(name)
    await store.load()
    const doc = new Y.Doc()
    doc.on('update', (entry: Uint8Array) => void store.append(entry, true))
    for (let count = 0; count < 500; count += 1) doc.getText('text').insert(count, 'x')
    await store.close()
    expect(await textOfStore(name)).toEqual({ text: 'x'.repeat(500), unsaved: 0, entries: 1 })
  })

  test('what another tab has appended is not marked as saved', async () => {
    const name = freshName()
    const [first, second] = [openIndexedDbStore(name), openIndexedDbStore(name)]
    await Promise.all([first.load(), second.load()])
    await first.append(update('a'), true)
    await second.append(update('b'), false)
    await first.append(update('c'), true)
    await first.close()
    await second.close()
    expect((await textOfStore(name)).unsaved).toBe(2)
  })

  test('a whole provider: typed offline, reloaded, typed on, saved', async () => {
    const device = world.device()
    device.network.reachability = 'refusing'
    const environment = { ...device.environment, openStore: systemEnvironment.openStore }
    const name = freshName()
    const open = (): { provider: WebsocketProvider; doc: Y.Doc } => {
      const doc = new Y.Doc()
      const persistence = true
      const provider = new WebsocketProvider('ws://server.test', name, doc, { environment, persistence })
      return { provider, doc }
    }
    const before = open()
    before.doc.getText('text').insert(0, 'one ')
    before.provider.destroy()
    await eventually(async () => (await textOfStore(name)).text === 'one ', 'it has been written')
    const after = open()
    after.doc.getText('text').insert(0, 'two ')
    await eventually(() => after.doc.getText('text').length === 8, 'it has been loaded')
    expect(after.provider.unsavedChanges).toBe(2)
    device.network.reachability = 'up'
    const saved = after.provider.whenSaved()
    await world.pass(10_000)
    await saved
    const stored = world.server.document(name).getText('text').toJSON()
    expect(stored.length).toBe(8)
    after.provider.destroy()
    expect((await eventuallyStored(name)).unsaved).toBe(0)
  })

  async function eventuallyStored(name: string): Promise<{ text: string; unsaved: number }> {
    let found = await textOfStore(name)
    await eventually(async () => {
      found = await textOfStore(name)
      return found.unsaved === 0
    }, 'it is noted what is saved')
    return found
  }
})

test('persistence where there is no store is refused, and says why', () => {
  const environment = { ...world.device().environment, openStore: null }
  expect(
    () => new WebsocketProvider('ws://server.test', ROOM, new Y.Doc(), { environment, persistence: true }),
  ).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', option: 'persistence' }))
})
