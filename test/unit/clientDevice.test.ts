import 'fake-indexeddb/auto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { openIndexedDbStore } from '../../client/indexedDbStore.ts'
import { WebsocketProvider } from '../../client/index.ts'
import type { DocumentStore, StoredDocument, StoreOpener } from '../../client/index.ts'
import type { FakeDevice } from '../../client/testing/index.ts'
import { ClientWorld, ROOM, SERVER_URL } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  vi.restoreAllMocks()
  world.destroy()
  world = new ClientWorld()
})

function close({ provider, doc }: Opened): void {
  provider.destroy()
  doc.destroy()
}

/** A device whose disk holds an edit that has never left it. */
async function deviceWithUnsaved(text: string): Promise<FakeDevice> {
  const device = world.device()
  device.network.reachability = 'refusing'
  const tab = world.open(device, { persistence: true })
  tab.type(text)
  await world.pass(100)
  close(tab)
  device.network.reachability = 'up'
  return device
}

/** The device's store, which reads as it should and hands out what it has read only when `release` is called. */
function slowStore(device: FakeDevice): { open: StoreOpener; release: () => void } {
  let release = (): void => undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  const open = (name: string, server: string): DocumentStore => {
    const store = device.stores.open(name, server)
    const load = async (): Promise<StoredDocument> => {
      const loaded = await store.load()
      await gate
      return loaded
    }
    return { ...store, load }
  }
  return { open, release: () => release() }
}

describe('a device that is slow to read', () => {
  test('is waited for by whoever asks whether all is saved', async () => {
    const device = await deviceWithUnsaved('typed before the reload')
    const tab = world.open(device, { persistence: true })
    world.server.hold()
    let isSaved = false
    const saved = tab.provider.whenSaved().then(() => (isSaved = true))
    await world.pass(1_000)
    expect(isSaved).toBe(false)
    world.server.release()
    await world.pass(1_000)
    await saved
    expect(world.saved).toBe('typed before the reload')
  })

  test('has not saved what it has not even handed out', async () => {
    const device = await deviceWithUnsaved('never sent')
    const store = slowStore(device)
    const tab = world.open(device, { persistence: store.open })
    await world.pass(4_000) // connected without it
    const author = world.open(world.device())
    author.type('from elsewhere, ')
    await world.pass(1_000)
    tab.type('mine, ')
    await world.pass(1_000)
    expect([tab.provider.synced, tab.provider.unsavedChanges]).toEqual([true, 0])
    device.network.goSilent() // the page is killed
    close(tab)
    device.network.reachability = 'refusing'
    const after = world.open(device, { persistence: true })
    await world.pass(1_000)
    expect(after.text).toContain('never sent')
    expect(after.provider.unsavedChanges).toBeGreaterThan(0)
  })

  test('is waited for also by who asks when the connection does not wait any longer', async () => {
    const device = await deviceWithUnsaved('typed before the reload')
    const store = slowStore(device)
    const { provider } = world.open(device, { persistence: store.open })
    await world.pass(4_000)
    const given = new AbortController()
    const [saved, stopped] = [provider.whenSaved(), provider.whenSaved({ signal: given.signal })]
    let isSaved = false
    void saved.then(() => (isSaved = true))
    const told = expect(stopped).rejects.toBe('enough')
    await world.pass(1_000)
    given.abort('enough')
    await told
    expect([provider.synced, isSaved]).toEqual([true, false])
    store.release()
    await world.pass(1_000)
    expect([isSaved, world.saved]).toEqual([true, 'typed before the reload'])
    const unread = world.open(device, { persistence: slowStore(device).open }).provider
    const destroyed = expect(unread.whenSaved()).rejects.toMatchObject({ code: 'DESTROYED' })
    unread.destroy()
    await destroyed
    await expect(unread.whenSaved()).rejects.toMatchObject({ code: 'DESTROYED' })
  })

  test('is uploaded when it has been read at last', async () => {
    const device = await deviceWithUnsaved('late')
    const store = slowStore(device)
    const tab = world.open(device, { persistence: store.open })
    await world.pass(4_000)
    store.release()
    await world.pass(1_000)
    expect([world.saved, tab.provider.unsavedChanges]).toEqual(['late', 0])
  })

  test('leaves no timer behind when the provider goes first', async () => {
    const device = world.device()
    const tab = world.open(device, { persistence: slowStore(device).open })
    await world.pass(100)
    close(tab)
    await world.pass(10)
    expect(world.clock.timers).toBe(0)
  })
})

test('a device that cannot be read is written in full, with what was in the document before', async () => {
  const device = world.device()
  device.network.reachability = 'refusing'
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'before, ')
  device.stores.fail(new Error('unreadable'))
  const { environment } = device
  const provider = new WebsocketProvider(SERVER_URL, ROOM, doc, { environment, disableBc: true, persistence: true })
  await world.pass(100)
  device.stores.fail(null)
  doc.getText('text').insert(8, 'after')
  await world.pass(100)
  provider.destroy()
  const next = world.open(device, { persistence: true })
  await world.pass(100)
  expect(next.text).toBe('before, after')
})

test('a store that throws is told of, and one that fails while it is read is written in full afterwards', async () => {
  const device = world.device()
  device.network.reachability = 'refusing'
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'before, ')
  const slow = slowStore(device)
  let isBroken = true
  const { environment } = device
  const provider = new WebsocketProvider(SERVER_URL, ROOM, doc, {
    environment,
    disableBc: true,
    persistence: (name, server) => {
      const store = slow.open(name, server) as DocumentStore
      const append: DocumentStore['append'] = (update, isSaved) => {
        if (isBroken) throw new Error('thrown')
        return store.append(update, isSaved)
      }
      return { ...store, append }
    },
  })
  const errors: string[] = []
  provider.on('error', ({ code }) => errors.push(code))
  await world.pass(100)
  doc.getText('text').insert(8, 'meanwhile')
  await world.pass(100)
  expect(errors).toEqual(['DEVICE_STORE_FAILED'])
  isBroken = false
  slow.release()
  await world.pass(100)
  provider.destroy()
  const next = world.open(device, { persistence: true })
  await world.pass(100)
  expect([next.text, errors.length]).toEqual(['before, meanwhile', 1])
})

/** Every transaction that adds something is broken off in the end, until what is returned is called. */
function fillDisk(): () => void {
  // oxlint-disable-next-line typescript/unbound-method -- called with its own this below
  const add = IDBObjectStore.prototype.add
  const added = vi.spyOn(IDBObjectStore.prototype, 'add').mockImplementation(function (this: IDBObjectStore, value) {
    const request = add.call(this, value)
    request.addEventListener('success', () => this.transaction.abort())
    return request
  })
  // What is being committed only the browser can end.
  const committed = vi.spyOn(IDBTransaction.prototype, 'commit').mockReturnValue()
  return () => {
    added.mockRestore()
    committed.mockRestore()
  }
}

function update(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

test('an edit whose transaction fails in the end, as when the disk is full, counts as not kept', async () => {
  const store = openIndexedDbStore('full', SERVER_URL)
  await store.load()
  fillDisk()
  await expect(store.append(update('x'), false)).rejects.toThrow()
  await store.close()
})

test('what could not be kept, and was saved, does not make the next edit count as saved', async () => {
  const store = openIndexedDbStore('full for a while', SERVER_URL)
  await store.load()
  await store.append(update('saved'), true)
  const emptyDisk = fillDisk()
  await expect(store.append(update('too large'), false)).rejects.toThrow()
  emptyDisk()
  await store.markSaved()
  await store.append(update('never sent'), false)
  await store.close()
  const again = openIndexedDbStore('full for a while', SERVER_URL)
  expect((await again.load()).unsaved).toBe(1)
  await again.close()
})

test('a database that could not be opened is opened by whoever writes next', async () => {
  const opened = vi.spyOn(indexedDB, 'open').mockImplementationOnce(() => {
    throw new Error('not now')
  })
  const store = openIndexedDbStore('not at first', SERVER_URL)
  await expect(store.load()).rejects.toThrow('not now')
  await store.append(update('x'), false)
  expect([(await store.load()).unsaved, opened.mock.calls.length]).toEqual([1, 2])
  await store.close()
})

test('a store that cannot be had is asked for again, and then keeps all there is', async () => {
  const device = world.device()
  device.network.reachability = 'refusing'
  let isThere = false
  const errors: string[] = []
  const persistence = (name: string, server: string): DocumentStore => {
    if (!isThere) throw new Error('404')
    return device.stores.open(name, server)
  }
  const tab = world.open(device, { persistence })
  tab.provider.on('error', ({ code }) => errors.push(code))
  tab.type('typed before')
  await world.pass(15_000)
  expect(errors).toEqual(['DEVICE_STORE_FAILED', 'DEVICE_STORE_FAILED'])
  isThere = true
  await world.pass(10_000)
  tab.type(', and after')
  await world.pass(100)
  close(tab)
  const next = world.open(device, { persistence: true })
  await world.pass(100)
  expect([next.text, next.provider.unsavedChanges > 0]).toEqual(['typed before, and after', true])
})

test('a store that cannot be had is not asked for by whoever has left', async () => {
  const device = world.device()
  let asked = 0
  const persistence = (): never => {
    asked += 1
    throw new Error('404')
  }
  const tab = world.open(device, { persistence })
  close(tab)
  await world.pass(60_000)
  expect([asked, world.clock.timers]).toEqual([1, 0])
})

test('what is to be cleared while the store cannot be had is not kept later', async () => {
  const device = world.device()
  device.network.reachability = 'refusing'
  let isThere = false
  const persistence = (name: string, server: string): DocumentStore => {
    if (!isThere) throw new Error('404')
    return device.stores.open(name, server)
  }
  const tab = world.open(device, { persistence })
  tab.type('secret')
  await world.pass(100)
  await expect(tab.provider.clearPersistence()).rejects.toThrow('404')
  isThere = true
  await world.pass(60_000)
  close(tab)
  const next = world.open(device, { persistence: true })
  await world.pass(100)
  expect(next.text).toBe('')
})
