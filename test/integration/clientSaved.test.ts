import { rm } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import type { ProviderOptions } from '../../client/index.ts'
import type { Durability } from '../../server/engine/engine.ts'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { createServer } from '../../server/server.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { Cli } from '../support/cli.ts'
import { MessageType } from '../../shared/wire/messages.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory, TestServer } from '../support/testServer.ts'

const ROOM = 'room'
const TEST_MS = 120_000

/** Says that it is durable, so that clients believe it; what it keeps is as good as its process. */
class PretendingEngine extends FaultyEngine {
  override get durability(): Durability {
    return 'fsync'
  }
}

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

function open(url: string, options: ProviderOptions<WebsocketProvider> = {}): WebsocketProvider {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, ROOM, doc, { disableBc: true, ...options })
  cleanups.push(() => {
    provider.destroy()
    doc.destroy()
  })
  return provider
}

function type(provider: WebsocketProvider, text: string): void {
  const target = provider.doc.getText('text')
  target.insert(target.length, text)
}

async function start(engine = new PretendingEngine(new MemoryEngine())): Promise<[TestServer, PretendingEngine]> {
  const host = await TestServer.start({ engine })
  cleanups.push(() => host.dispose())
  return [host, engine]
}

async function storedText(engine: FaultyEngine): Promise<string> {
  const doc = new Y.Doc()
  const { snapshot, tail } = await engine.load(ROOM)
  for (const update of [snapshot?.state, ...tail.map((entry) => entry.update)]) {
    if (update !== undefined) Y.applyUpdate(doc, update)
  }
  return doc.getText('text').toJSON()
}

/** Presence needs no storage: when it has gone there and back, so would have everything said before it. */
async function beat(from: WebsocketProvider, to: WebsocketProvider, value: number): Promise<void> {
  from.awareness.setLocalStateField('beat', value)
  await eventually(() => {
    return to.awareness.getStates().get(from.doc.clientID)?.['beat'] === value
  }, 'presence flows')
}

describe.each([false, true])('multiplex: %s', (multiplex) => {
  test('D3, P1: whenSaved waits until the edit is durable, and says so', async () => {
    const [host, engine] = await start()
    const [author, reader] = [open(host.url, { multiplex }), open(host.url, { multiplex })]
    await Promise.all([author.whenSynced, reader.whenSynced])
    expect([author.ackLevel, author.scope]).toEqual(['durable', 'read-write'])
    await author.whenSaved() // nothing to save
    const told: unknown[] = []
    author.on('unsaved-changes', (count) => told.push(count))
    author.on('saved', () => told.push('saved'))
    const release = engine.hold('append')
    type(author, 'held')
    type(author, ' back')
    let isSaved = false
    const saved = author.whenSaved().then(() => {
      isSaved = true
    })
    await eventually(() => engine.calls('append') > 0, 'it is on its way')
    await beat(author, reader, 1)
    await beat(reader, author, 2)
    expect([isSaved, author.unsavedChanges, author.hasUnsyncedChanges, reader.doc.getText('text').length]).toEqual([
      false,
      2,
      true,
      0,
    ])
    expect(author.syncStatus).toMatchObject({ connected: true, localUpdatesSynced: false, status: 'yellow' })
    release()
    await saved
    expect(await storedText(engine)).toBe('held back')
    expect([author.unsavedChanges, author.hasUnsyncedChanges, told]).toEqual([0, false, [1, 2, 0, 'saved']])
    expect(author.syncStatus).toMatchObject({ connected: true, localUpdatesSynced: true, status: 'green' })
    expect(author.stats.savedAfter).toBeGreaterThan(0)
  })

  test('D6, P1: appends that fail are not saved, however often, until one has worked', async () => {
    const [host, engine] = await start()
    const author = open(host.url, { multiplex })
    await author.whenSynced
    engine.fail('append', 4, 'before')
    type(author, 'at last')
    await author.whenSaved()
    expect(engine.calls('append')).toBe(5)
    expect(await storedText(engine)).toBe('at last')
  })

  test('what was typed offline is saved when there is a connection', async () => {
    const [host, engine] = await start()
    const author = open(host.url, { multiplex, connect: false })
    type(author, 'off')
    type(author, 'line')
    expect([author.unsavedChanges, author.ackLevel]).toEqual([2, 'none'])
    const saved = author.whenSaved()
    author.connect()
    await saved
    expect(await storedText(engine)).toBe('offline')
  })

  test('what is in the document before there is a provider is not saved either', async () => {
    const [host, engine] = await start()
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'before')
    const author = new WebsocketProvider(host.url, ROOM, doc, { disableBc: true, multiplex })
    cleanups.push(() => author.destroy())
    expect(author.unsavedChanges).toBe(1)
    await author.whenSaved()
    expect(await storedText(engine)).toBe('before')
  })
})

test('edits are confirmed unasked, and nothing else comes back to their author', async () => {
  const [host] = await start()
  const author = open(host.url)
  await author.whenSynced
  const types = { in: [] as (number | undefined)[], out: [] as (number | undefined)[] }
  author.on('frame', ({ direction, bytes }) => types[direction].push(bytes[0]))
  for (let count = 0; count < 20; count += 1) {
    type(author, 'x')
    await eventually(() => author.unsavedChanges === 0, 'it is saved')
  }
  expect(types.out).toEqual(Array<number>(20).fill(MessageType.countedUpdate))
  expect(types.in).toEqual(Array<number>(20).fill(MessageType.confirmation))
})

test('edits that are saved merged with those of others are confirmed as well', async () => {
  const [host] = await start()
  const [first, second] = [open(host.url), open(host.url)]
  await Promise.all([first.whenSynced, second.whenSynced])
  for (let count = 0; count < 50; count += 1) {
    type(first, 'a')
    type(second, 'b')
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => first.unsavedChanges + second.unsavedChanges === 0, 'all is saved')
  expect(first.doc.getText('text').length).toBe(100)
})

test('a server that keeps documents in memory only is believed no more than that', async () => {
  const host = await TestServer.start({ engine: new MemoryEngine() })
  cleanups.push(() => host.dispose())
  const author = open(host.url)
  type(author, 'x')
  await author.whenSaved()
  expect(author.ackLevel).toBe('received')
})

test('waiting can be given up, which changes nothing else', async () => {
  const [host, engine] = await start()
  const author = open(host.url)
  await author.whenSynced
  const release = engine.hold('append')
  type(author, 'x')
  const controller = new AbortController()
  const waiting = author.whenSaved({ signal: controller.signal })
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(author.whenSaved({ signal: AbortSignal.abort(new Error('at once')) })).rejects.toThrow('at once')
  release()
  await author.whenSaved()
  type(author, 'y')
  const late = author.whenSaved()
  author.destroy()
  await expect(late).rejects.toMatchObject({ code: 'DESTROYED' })
})

/** What is stored, read by a server without clients: nobody can bring back what was lost. */
async function storedItems(directory: string): Promise<Set<string>> {
  const server = createServer({ dataDir: directory, logLevel: 'silent', metrics: false })
  try {
    await server.ready()
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await server.documents.read(ROOM))
    return new Set(doc.getArray<string>('items').toArray())
  } finally {
    await server.close()
  }
}

/** Writes one item after the other and notes which were promised to be saved. */
function writeAndNote(provider: WebsocketProvider, name: string, promised: Set<string>): () => void {
  let count = 0
  return () => {
    count += 1
    const item = `${name}:${String(count)}`
    provider.doc.getArray<string>('items').push([item])
    provider.whenSaved().then(
      () => promised.add(item),
      () => undefined, // the provider was destroyed
    )
  }
}

test(
  'P1: kill -9 at any instant: what whenSaved has promised is stored, and what it has not comes back',
  { timeout: TEST_MS },
  async () => {
    const directory = await temporaryDirectory()
    cleanups.push(() => rm(directory, { recursive: true, force: true }))
    const promised = new Set<string>()
    const made: (() => void)[] = []
    const providers: WebsocketProvider[] = []
    let port = 0
    let total = 0
    for (let round = 0; round < 6; round += 1) {
      const cli = new Cli(['serve', directory, '--port', String(port), '--no-demo'])
      cleanups.push(() => cli.dispose())
      ;({ port } = await cli.listening())
      if (round === 0) {
        for (const multiplex of [false, true]) {
          const provider = open(`ws://127.0.0.1:${String(port)}`, { multiplex, maxBackoffTime: 100 })
          providers.push(provider)
          made.push(writeAndNote(provider, String(multiplex), promised))
        }
      }
      await eventually(() => providers.every((provider) => provider.synced), 'both are back')
      const before = promised.size
      while (promised.size < before + 10 + round * 7) {
        for (const write of made) write()
        total += made.length
        await new Promise((resolve) => setImmediate(resolve))
      }
      cli.child.kill('SIGKILL')
      await cli.finished
      const now = [...promised]
      const stored = await storedItems(directory)
      expect(
        now.filter((item) => !stored.has(item)),
        `lost in round ${String(round)}`,
      ).toEqual([])
    }
    const cli = new Cli(['serve', directory, '--port', String(port), '--no-demo'])
    cleanups.push(() => cli.dispose())
    await Promise.all(providers.map((provider) => provider.whenSaved()))
    await eventually(() => providers.every(({ doc }) => doc.getArray('items').length === total), 'all has come back')
    expect(new Set(providers[0]?.doc.getArray('items').toArray()).size).toBe(total)
    for (const provider of providers) provider.destroy()
    cli.child.kill('SIGKILL')
    await cli.finished
    expect((await storedItems(directory)).size).toBe(total)
  },
)
