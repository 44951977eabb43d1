import 'fake-indexeddb/auto'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { clearDocument, IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { openIndexedDbStore } from '../../client/indexedDbStore.ts'
import { systemEnvironment, WebsocketProvider } from '../../client/index.ts'
import { eventually } from '../support/eventually.ts'
import { ClientWorld, SERVER_URL } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

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
  const store = openIndexedDbStore(name, SERVER_URL)
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
  const store = openIndexedDbStore(name, SERVER_URL)
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
  const again = openIndexedDbStore(name, SERVER_URL)
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
  const store = openIndexedDbStore(name, SERVER_URL)
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
  const again = openIndexedDbStore(name, SERVER_URL)
  const { updates } = await again.load()
  await again.close()
  const doc = new Y.Doc()
  for (const entry of updates) Y.applyUpdate(doc, entry)
  expect([doc.getArray('ours').length, doc.getArray('theirs').length]).toEqual([520, 260])
  expect(updates.length).toBeLessThan(500)
})

test('500 entries become one, and what was saved stays saved', async () => {
  const name = freshName()
  const store = openIndexedDbStore(name, SERVER_URL)
  await store.load()
  const doc = new Y.Doc()
  doc.on('update', (entry: Uint8Array) => void store.append(entry, true))
  for (let count = 0; count < 500; count += 1) doc.getText('text').insert(count, 'x')
  await store.close()
  expect(await textOfStore(name)).toEqual({ text: 'x'.repeat(500), unsaved: 0, entries: 1 })
})

test('an entry is marked as saved although nobody waited until it was written, and one that came after is not', async () => {
  const name = freshName()
  const store = openIndexedDbStore(name, SERVER_URL)
  await store.load()
  const written = [store.append(update('a'), false), store.markSaved(), store.append(update('b'), false)]
  await Promise.all(written)
  await store.close()
  expect((await textOfStore(name)).unsaved).toBe(1)
})

test('what is saved is noted also of what was written before entries became one, and noted after it', async () => {
  const name = freshName()
  const store = openIndexedDbStore(name, SERVER_URL)
  await store.load()
  for (let count = 0; count < 499; count += 1) {
    const written = store.append(update('x'), false)
    if (count < 490) await store.markSaved()
    await written
  }
  await store.append(update('x'), false)
  await store.markSaved()
  await store.append(update('x'), false)
  await store.markSaved()
  await store.close()
  expect(await textOfStore(name)).toMatchObject({ unsaved: 0, entries: 2 })
})

test('what was noted of a document that another tab removed is not noted of the next one', async () => {
  const name = freshName()
  const [store, other] = [openIndexedDbStore(name, SERVER_URL), openIndexedDbStore(name, SERVER_URL)]
  await Promise.all([store.load(), other.load()])
  for (let count = 0; count < 50; count += 1) await store.append(update('x'), false)
  await Promise.all([store.markSaved(), other.clear(), store.markSaved()])
  await expect(store.append(update('y'), false)).rejects.toThrow('closed')
  await store.append(update('y'), false)
  await store.markSaved()
  for (let count = 0; count < 20; count += 1) await store.append(update('z'), false)
  await store.close()
  expect((await textOfStore(name)).unsaved).toBe(20)
})

test('two tabs mark what both have written, in turn, and neither takes a mark back', async () => {
  const name = freshName()
  const [first, second] = [openIndexedDbStore(name, SERVER_URL), openIndexedDbStore(name, SERVER_URL)]
  await Promise.all([first.load(), second.load()])
  for (let count = 0; count < 3; count += 1) {
    for (const store of [first, second]) await store.append(update('x'), false)
    for (const store of [first, second]) await store.markSaved()
  }
  await first.markSaved()
  await first.close()
  await second.close()
  expect((await textOfStore(name)).unsaved).toBe(0)
})

test('an entry that cannot be read is kept, and keeps the others from nothing', async () => {
  const name = freshName()
  const store = openIndexedDbStore(name, SERVER_URL)
  await store.load()
  await store.append(new Uint8Array([255]), false)
  for (let count = 0; count < 520; count += 1) await store.append(update('x'), false)
  await store.close()
  const again = openIndexedDbStore(name, SERVER_URL)
  expect((await again.load()).updates.length).toBe(521)
  await again.close()
})

test('what is typed after another tab has removed the document is kept, with all there was', async () => {
  const name = freshName()
  const device = world.device()
  device.network.reachability = 'refusing'
  const environment = { ...device.environment, openStore: systemEnvironment.openStore }
  const open = (): WebsocketProvider =>
    new WebsocketProvider(SERVER_URL, name, new Y.Doc(), { environment, disableBc: true, persistence: true })
  const [tab, other] = [open(), open()]
  const errors: string[] = []
  tab.on('error', ({ code }) => errors.push(code))
  const text = tab.doc.getText('text')
  text.insert(0, 'before')
  await eventually(async () => (await textOfStore(name)).text === 'before', 'it has been written')
  await other.clearPersistence()
  expect((await textOfStore(name)).entries).toBe(0)
  text.insert(6, ' and after')
  await eventually(async () => (await textOfStore(name)).text === 'before and after', 'it has been written again')
  expect(errors).toEqual([])
  tab.destroy()
  other.destroy()
})

test('what another tab has appended is not marked as saved', async () => {
  const name = freshName()
  const [first, second] = [openIndexedDbStore(name, SERVER_URL), openIndexedDbStore(name, SERVER_URL)]
  await Promise.all([first.load(), second.load()])
  await first.append(update('a'), true)
  await second.append(update('b'), false)
  await first.append(update('c'), true)
  await first.close()
  await second.close()
  expect((await textOfStore(name)).unsaved).toBe(2)
})

test('no transaction waits for the page: one that is closed would take along what stands behind it', async () => {
  const open = new Set<IDBTransaction>()
  const waiting: IDBTransaction[] = []
  const transaction = Reflect.get(IDBDatabase.prototype, 'transaction')
  const commit = Reflect.get(IDBTransaction.prototype, 'commit')
  const begin = vi.spyOn(IDBDatabase.prototype, 'transaction')
  begin.mockImplementation(function (this: IDBDatabase, ...parameters) {
    const begun = transaction.apply(this, parameters)
    if (begun.mode === 'versionchange') return begun // in which the stores are made
    open.add(begun)
    queueMicrotask(() => open.has(begun) && waiting.push(begun))
    return begun
  })
  vi.spyOn(IDBTransaction.prototype, 'commit').mockImplementation(function (this: IDBTransaction) {
    open.delete(this)
    commit.apply(this)
  })
  onTestFinished(() => void vi.restoreAllMocks())
  const store = openIndexedDbStore(freshName(), SERVER_URL)
  await store.load()
  // Entries are added, become one, and are noted as saved.
  for (let count = 0; count < 510; count += 1) await store.append(update('x'), count % 2 === 0)
  await store.markSaved()
  await store.close()
  expect(begin.mock.calls.length).toBeGreaterThan(510)
  expect([waiting.length, open.size]).toEqual([0, 0])
})

test('a whole provider: typed offline, reloaded, typed on, saved', async () => {
  const device = world.device()
  device.network.reachability = 'refusing'
  const environment = { ...device.environment, openStore: systemEnvironment.openStore }
  const name = freshName()
  const open = (): { provider: WebsocketProvider; doc: Y.Doc } => {
    const doc = new Y.Doc()
    const persistence = true
    const provider = new WebsocketProvider(SERVER_URL, name, doc, { environment, persistence })
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
