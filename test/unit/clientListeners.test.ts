import { afterEach, describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/index.ts'
import { ClientWorld, ROOM, SERVER_URL } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  vi.unstubAllGlobals()
  world.destroy()
  world = new ClientWorld()
})

describe('edits, with others who listen to the document,', () => {
  test('are sent and encoded when an observer makes them of what the server says, which is not', async () => {
    const reader = world.open(world.device())
    const author = world.open(world.device())
    await world.pass(1_000)
    const { doc, provider } = reader
    const encoded: unknown[] = []
    // The last event before Yjs encodes a transaction, which it does when anybody listens.
    doc.on('afterTransactionCleanup', ({ origin }) => void (doc._observers.has('update') && encoded.push(origin)))
    doc.getText('text').observe(({ transaction }) => {
      if (transaction.origin === provider) doc.transact(() => doc.getText('text').insert(0, 'b'), 'answer')
    })
    author.type('a')
    await world.pass(1_000)
    author.type('a')
    await world.pass(1_000)
    expect([world.saved, provider.unsavedChanges, encoded]).toEqual(['bbaa', 0, ['answer', 'answer']])
  })

  test('are counted before the application hears of them, also when the server has spoken in between', async () => {
    const [{ doc, provider, type }, author] = [world.open(world.device()), world.open(world.device())]
    await world.pass(1_000)
    author.type('a')
    await world.pass(1_000)
    const unsaved: number[] = []
    doc.on('update', () => void unsaved.push(provider.unsavedChanges))
    type('b')
    await world.pass(1_000)
    author.type('c')
    await world.pass(1_000)
    type('d')
    expect(unsaved).toEqual([1, 0, 1])
  })

  test('are sent although a listener of the application throws before, after the server has spoken', async () => {
    const thrown = vi.fn()
    vi.stubGlobal('reportError', thrown)
    const doc = new Y.Doc()
    doc.on('beforeObserverCalls', ({ origin }) => {
      if (origin === 'mistake') throw new Error('of the application')
    })
    const provider = new WebsocketProvider(SERVER_URL, ROOM, doc, { environment: world.device().environment })
    const author = world.open(world.device())
    await world.pass(1_000)
    for (let count = 0; count < 2; count += 1) {
      author.type('a')
      await world.pass(1_000)
    }
    expect(() => doc.transact(() => doc.getText('text').insert(0, 'b'), 'mistake')).toThrow('of the application')
    await world.pass(1_000)
    expect([world.saved, provider.unsavedChanges]).toEqual(['baa', 0])
    provider.destroy()
  })

  test('leave no listener behind when the provider is destroyed by who hears of them first', async () => {
    const doc = new Y.Doc()
    doc.on('beforeObserverCalls', () => provider.destroy())
    const provider = new WebsocketProvider(SERVER_URL, ROOM, doc, { environment: world.device().environment })
    await world.pass(1_000)
    doc.getText('text').insert(0, 'a')
    expect([doc._observers.has('update'), doc._observers.get('beforeObserverCalls')?.size]).toEqual([false, 1])
  })
})
