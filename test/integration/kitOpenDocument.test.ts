import { afterEach, describe, expect, test } from 'vitest'
import type * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { openDocument } from '../../client/testing/openDocument.ts'
import type { OpenDocument } from '../../client/testing/openDocument.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { FakeDevice } from '../../client/testing/fakeDevice.ts'
import { FakeServer } from '../../client/testing/fakeServer.ts'
import { Collaborator } from '../support/collaborator.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function start() {
  const engine = new FaultyEngine(new MemoryEngine())
  const server = await TestServer.start({ engine })
  cleanups.push(() => server.dispose())
  return { engine, server }
}

async function open(server: TestServer, name: string, signal?: AbortSignal): Promise<OpenDocument> {
  const opened = await openDocument(server.url, name, { signal })
  cleanups.push(() => opened.close())
  return opened
}

const textOf = (doc: Y.Doc): string => doc.getText('text').toJSON()

describe('openDocument', () => {
  test('resolves with what the server has, saves, and closes', async () => {
    const { server } = await start()
    const first = await open(server, 'script')
    first.doc.getText('text').insert(0, 'by a script')
    await first.save()
    first.close()
    await eventually(() => server.count('disconnected') === 1, 'its connection is closed')
    expect(first.doc.isDestroyed).toBe(true)
    expect(textOf((await open(server, 'script')).doc)).toBe('by a script')
  })

  test('P1: save resolves when the edit is in the log, not before', async () => {
    const { engine, server } = await start()
    const opened = await open(server, 'script')
    const release = engine.hold('append')
    opened.doc.getText('text').insert(0, 'x')
    let isSaved = false
    const saving = opened.save().then(() => (isSaved = true))
    await eventually(() => engine.calls('append') > 0, 'the server writes')
    const other = await openDocument(server.url, 'other') // a whole round trip later
    other.close()
    expect(isSaved).toBe(false)
    expect((await engine.load('script')).tail).toHaveLength(0)
    release()
    await saving
    expect((await engine.load('script')).tail).toHaveLength(1)
  })

  test('a script is nobody in the room', async () => {
    const { server } = await start()
    const witness = await Collaborator.open(server.port, 'script')
    cleanups.push(() => witness.destroy())
    const opened = await open(server, 'script')
    opened.doc.getText('text').insert(0, 'x')
    await opened.save()
    await witness.until(() => witness.text === 'x', 'the edit arrives')
    expect(witness.presence.size).toBe(0)
    opened.provider.awareness.setLocalState({ name: 'robot' })
    await witness.until(() => witness.presence.size === 1, 'it may say who it is')
  })

  test('rejects when access is denied, and leaves nothing behind', async () => {
    const clock = new FakeClock()
    const server = new FakeServer()
    server.deny('secret', 'not for you')
    const { environment, page } = new FakeDevice({ clock, server })
    const opening = openDocument('ws://fake', 'secret', { environment })
    const rejected = expect(opening).rejects.toMatchObject({ code: 'ACCESS_DENIED', message: 'not for you' })
    await clock.advanceAsync(1_000)
    await rejected
    expect([clock.timers, page.listeners, server.connections]).toEqual([0, 0, 0])
  })

  test("rejects with the signal's reason, before and while it opens, and leaves nothing behind", async () => {
    const clock = new FakeClock()
    const server = new FakeServer()
    const { environment, page, network } = new FakeDevice({ clock, server })
    network.reachability = 'silent'
    const abort = new AbortController()
    const opening = openDocument('ws://fake', 'far', { environment, signal: abort.signal })
    const rejected = expect(opening).rejects.toThrow('enough')
    await clock.advanceAsync(60_000)
    abort.abort(new Error('enough'))
    await rejected
    await clock.advanceAsync(0)
    expect([clock.timers, page.listeners]).toEqual([0, 0])
    await expect(openDocument('ws://fake', 'far', { environment, signal: abort.signal })).rejects.toThrow('enough')
    expect(page.listeners).toBe(0)
  })
})
