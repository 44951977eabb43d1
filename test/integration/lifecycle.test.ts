import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { rm } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { systemClock } from '../../server/clock.ts'
import type { Clock } from '../../server/clock.ts'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { createServer } from '../../server/server.ts'
import type { ScriptoriumServer } from '../../server/server.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { Cli } from '../support/cli.ts'
import { openClient, openHocuspocus, textOf, write } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/rawClient.ts'
import { hex, message, wires } from '../support/rawMessages.ts'
import { temporaryDirectory, TestServer } from '../support/testServer.ts'
import { JournalClient, journalOf } from './journalClient.ts'

const STEP_1 = message.step1(hex('00'))

const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function keep<T extends { destroy(): void }>(thing: T): T {
  cleanups.push(() => thing.destroy())
  return thing
}

async function start(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  const server = await TestServer.start(options)
  cleanups.push(() => server.dispose())
  return server
}

async function newDirectory(): Promise<string> {
  const directory = await temporaryDirectory()
  cleanups.push(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function serve(directory: string, ...args: string[]): Cli {
  const cli = new Cli(['serve', directory, '--port', '0', '--no-demo', ...args])
  cleanups.push(() => cli.dispose())
  return cli
}

async function stored(directory: string, document: string): Promise<Y.Doc> {
  const server = createServer({ dataDir: directory, logLevel: 'silent', metrics: false })
  await server.ready()
  const doc = new Y.Doc()
  Y.applyUpdate(doc, await server.documents.read(document))
  await server.close()
  return doc
}

/** Writes with all of them until told to stop. */
async function load(writers: readonly JournalClient[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    for (const writer of writers) writer.write()
    await pause(1)
  }
}

async function openWriters(port: number, count: number, document = 'load'): Promise<JournalClient[]> {
  const writers: JournalClient[] = []
  for (let index = 0; index < count; index += 1) {
    const protocol = index % 2 === 0 ? 'y-websocket' : 'hocuspocus'
    writers.push(keep(await JournalClient.open(`w${String(index)}`, protocol, port, document)))
  }
  return writers
}

async function openRaw(port: number, document = 'room'): Promise<RawClient> {
  const raw = keep(await RawClient.open(port, wires['y-websocket'].path(document)))
  raw.send(STEP_1)
  return raw
}

function isSynced(raw: RawClient): boolean {
  return raw.messages.some((frame) => frame[0] === 0 && frame[1] === 1)
}

describe('the program, told to stop', () => {
  test('C131: SIGTERM under load: exit 0, clients see 1012, and acknowledged = stored', async () => {
    const directory = await newDirectory()
    const cli = serve(directory)
    const { port } = await cli.listening()
    const writers = await openWriters(port, 8)
    let over = false
    const loaded = load(writers, () => over)
    await eventually(() => writers.every((writer) => writer.acknowledged.size > 20), 'all have been acknowledged often')
    cli.child.kill('SIGTERM')
    const { code, stdout } = await cli.finished
    over = true
    await loaded
    expect(code, stdout).toBe(0)
    await eventually(() => writers.every((writer) => writer.isGone), 'all sockets are gone')
    expect(writers.map((writer) => writer.closeCode)).toEqual(writers.map(() => 1012))
    const journal = journalOf(await stored(directory, 'load'))
    const present = new Set(journal)
    expect(journal.length).toBe(present.size)
    for (const { acknowledged, seen } of writers) {
      expect([...acknowledged, ...seen].filter((token) => !present.has(token))).toEqual([])
    }
  })

  test('C133: a second SIGTERM ends it at once, and the log is sound', async () => {
    const directory = await newDirectory()
    const cli = serve(directory)
    const { port } = await cli.listening()
    const [writer] = await openWriters(port, 1)
    // A client that does not answer the close frame keeps the first signal waiting.
    const stubborn = await openRaw(port, 'load')
    stubborn.pause()
    writer?.write()
    await eventually(() => writer?.acknowledged.size === 1, 'the edit is acknowledged')
    cli.child.kill('SIGTERM')
    await cli.line(/stopping: storing/)
    cli.child.kill('SIGTERM')
    const { code } = await cli.finished
    expect(code).toBe(143)
    expect(journalOf(await stored(directory, 'load'))).toEqual(['w0:0'])
  })
})

describe('close', () => {
  test.each(['hangs', 'fails'] as const)(
    'C132: storage %s: it rejects at the deadline, and everything is closed',
    async (mode) => {
      const engine = new FaultyEngine(new MemoryEngine())
      const { server, port, url } = await start({ engine })
      const client = keep(openHocuspocus('hocuspocus 4', url, 'room'))
      await eventually(() => client.synced && client.provider.unsyncedChanges === 0, 'the client is synced')
      const release = mode === 'hangs' ? engine.hold('append') : () => engine.heal('append')
      if (mode === 'fails') engine.fail('append', 10_000)
      write(client, 'never stored')
      await eventually(() => engine.calls('append') > 0, 'storage has been tried')
      const closing = server.close({ deadlineMs: 300 })
      await expect(closing).rejects.toMatchObject({ code: 'CLOSE_DEADLINE' })
      await expect(RawClient.open(port, '/room'), 'nobody listens any more').rejects.toThrow(/ECONNREFUSED/)
      expect(client.provider.unsyncedChanges).toBeGreaterThan(0)
      release()
    },
  )

  test('C131: sockets opened while draining are refused with 503, and an edit accepted before is stored', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const { server, port, url, events } = await start({ engine })
    const client = keep(openClient('y-websocket 3.1', url, 'room'))
    await eventually(() => client.synced, 'the client is synced')
    const release = engine.hold('append')
    write(client, 'just in time')
    await eventually(() => engine.calls('append') === 1, 'the append has begun')
    const closing = server.close()
    await expect(RawClient.open(port, '/room')).rejects.toThrow(/503/)
    release()
    await closing
    expect(events.filter((event) => event.type === 'committed')).toHaveLength(1)
  })
})

describe('close', () => {
  test('O1: connections that never asked for anything are not waited for', async () => {
    const server = await TestServer.start()
    const socket = connect(server.port, '127.0.0.1')
    const ended = once(socket, 'close')
    await once(socket, 'connect')
    const answer = await fetch(`http://127.0.0.1:${String(server.port)}/healthz`) // accepted after the silent one
    expect(answer.status).toBe(200)
    await server.server.close({ deadlineMs: 60_000 })
    await ended
    await server.dispose()
  })
})

describe('a document', () => {
  test('C131: what is waited for when it is read or closed is what was accepted before, not what keeps coming', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const { server, url } = await start({ engine })
    const client = keep(openClient('y-websocket 3.1', url, 'room'))
    const other = keep(openClient('y-websocket 3.1', url, 'room', { presence: { name: 'other' } }))
    await eventually(() => client.synced && other.synced, 'both are synced')
    const releaseFirst = engine.hold('append')
    write(client, 'first ')
    await eventually(() => engine.calls('append') === 1, 'the first append has begun')
    const reading = server.documents.read('room')
    write(client, 'second')
    client.awareness.setLocalStateField('mark', true)
    await eventually(
      () => other.awareness.getStates().get(client.doc.clientID)?.['mark'] === true,
      'the second has come',
    )
    const releaseSecond = engine.hold('append') // opens the first gate, too
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await reading)
    expect(textOf({ doc })).toBe('first ')
    releaseFirst()
    releaseSecond()
    await eventually(() => textOf(other) === 'first second', 'nothing is lost')
  })

  test('C136: unloads when nobody is there, and is the same when it is opened again, without a Y.Doc', async () => {
    const server = await start()
    const author = keep(openHocuspocus('hocuspocus 4', server.url, 'room'))
    for (const word of ['one', 'two', 'three']) write(author, word)
    await eventually(() => author.synced && author.provider.unsyncedChanges === 0, 'it is saved')
    await author.disconnect()
    await eventually(() => server.count('unloaded') === 1, 'it is unloaded')
    expect(server.server.documents.size).toBe(0)
    const answers: string[] = []
    for (let round = 0; round < 2; round += 1) {
      const reader = await openRaw(server.port)
      await reader.until(() => isSynced(reader), 'the reader is synced')
      const frame = reader.messages.find((candidate) => candidate[1] === 1)
      answers.push(frame?.toString('hex') ?? '')
      reader.destroy()
      await eventually(() => server.count('unloaded') === round + 2, 'it is unloaded again')
    }
    expect(answers[1]).toBe(answers[0])
    expect(server.events.filter((event) => event.type === 'compacted').length, 'readers cause no snapshots').toBe(1)
    const back = keep(openClient('y-websocket 3.1', server.url, 'room'))
    await eventually(() => textOf(back) === 'onetwothree', 'the text is the same')
  })

  test('C136: the log of a killed server, snapshot and tail, is served as it is', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const doc = new Y.Doc()
    doc.on('update', (update: Uint8Array) => void engine.append('room', update))
    for (const word of ['one', 'two', 'three']) doc.getText('text').insert(doc.getText('text').length, word)
    const { url } = await start({ engine })
    const reader = keep(openClient('hocuspocus 2', url, 'room'))
    const late = keep(openClient('y-websocket 1', url, 'room'))
    await eventually(() => textOf(reader) === 'onetwothree' && textOf(late) === 'onetwothree', 'both have all of it')
    expect(engine.calls('append')).toBe(3)
  })

  test('C135: many first joins at once share one load; some leave meanwhile; nothing is left behind', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const server = await start({ engine })
    const release = engine.hold('load')
    const joiners = await Promise.all(Array.from({ length: 20 }, () => openRaw(server.port)))
    await eventually(() => engine.calls('load') === 1, 'the load has begun')
    for (const leaver of joiners.slice(0, 10)) leaver.destroy()
    await eventually(() => server.count('disconnected') === 10, 'ten have left')
    release()
    for (const joiner of joiners.slice(10)) await joiner.until(() => isSynced(joiner), 'it is synced')
    expect(engine.calls('load')).toBe(1)
    for (const joiner of joiners) joiner.destroy()
    await eventually(() => server.server.documents.size === 0, 'the document is gone')
  })

  test('C99: a load that fails first is tried again, and looks neither empty nor like a denial', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const kept = new Y.Doc()
    kept.getText('text').insert(0, 'kept')
    await engine.append('room', Y.encodeStateAsUpdate(kept))
    engine.fail('load', 3)
    const server = await start({ engine })
    const clients = [openClient('y-websocket 3.1', server.url, 'room'), openClient('hocuspocus 4', server.url, 'room')]
    for (const client of clients) {
      keep(client)
      await eventually(() => client.synced, 'it is synced')
      expect(textOf(client)).toBe('kept')
      expect(client.sockets.length, 'it never had to reconnect').toBe(1)
    }
    expect(server.count('loadFailed')).toBe(3)
  })

  test('C100: a load that hangs: its joiners get 1013, other documents notice nothing, and it works afterwards', async () => {
    const { clock, runLongTimers } = impatientClock()
    const engine = new FaultyEngine(new MemoryEngine())
    const server = await start({ engine, clock })
    const other = keep(openClient('y-websocket 3.1', server.url, 'other'))
    await eventually(() => other.synced, 'the other document is open')
    const release = engine.hold('load')
    const joiner = await openRaw(server.port)
    await eventually(() => engine.calls('load') === 2, 'the load has begun')
    write(other, 'unaffected')
    const peer = keep(openClient('hocuspocus 4', server.url, 'other'))
    await eventually(() => textOf(peer) === 'unaffected', 'the other document works')
    expect(joiner.messages).toEqual([])
    runLongTimers()
    expect((await joiner.closed()).code).toBe(1013)
    release()
    const back = await openRaw(server.port)
    await back.until(() => isSynced(back), 'it is synced now')
    expect(other.sockets.length).toBe(1)
  })

  test('C73: 500 documents opened and closed leave no document, no timer and no listener behind', async () => {
    const { clock, pendingTimers } = impatientClock()
    const server = await start({ clock, durability: 'memory' })
    const before = { timers: pendingTimers(), listeners: process.listenerCount('exit') }
    for (let batch = 0; batch < 10; batch += 1) {
      const raws = await Promise.all(
        Array.from({ length: 50 }, (_, index) => openRaw(server.port, `doc ${String(batch)}/${String(index)}`)),
      )
      for (const raw of raws) await raw.until(() => isSynced(raw), 'it is synced')
      for (const raw of raws) raw.destroy()
    }
    expect(server.server.documents.size).toBeGreaterThan(0)
    await eventually(() => server.server.documents.size === 0, 'all documents are gone')
    expect({ timers: pendingTimers(), listeners: process.listenerCount('exit') }).toEqual(before)
    expect(server.count('loaded')).toBe(500)
  })
})

/** Real time, except that timers of ten seconds can be run ahead of it; and it knows how many timers wait. */
function impatientClock(): { clock: Clock; runLongTimers: () => void; pendingTimers: () => number } {
  const pending = new Map<object, { milliseconds: number; run: () => void }>()
  const clock: Clock = {
    ...systemClock,
    after(milliseconds, task) {
      const key = {}
      const run = (): void => {
        if (pending.delete(key)) task()
      }
      pending.set(key, { milliseconds, run })
      const cancel = systemClock.after(milliseconds, run)
      return () => {
        pending.delete(key)
        cancel()
      }
    },
  }
  const runLongTimers = (): void => {
    const waiting = Array.from(pending.values()) // not those which they start: some start themselves again
    for (const timer of waiting) if (timer.milliseconds >= 10_000) timer.run()
  }
  return { clock, runLongTimers, pendingTimers: () => pending.size }
}

describe('embedding', () => {
  async function listen(configure: (server: ScriptoriumServer) => ReturnType<typeof createHttpServer>) {
    const scriptorium = createServer({ engine: new MemoryEngine(), logLevel: 'silent', metrics: false })
    const http = configure(scriptorium)
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    cleanups.push(async () => {
      await scriptorium.close()
      http.close()
    })
    return { scriptorium, http, url: `127.0.0.1:${String((http.address() as AddressInfo).port)}` }
  }

  async function expectWorks(url: string): Promise<void> {
    const left = keep(openClient('y-websocket 3.1', `ws://${url}`, 'room'))
    const right = keep(openClient('hocuspocus 4', `ws://${url}`, 'room'))
    write(left, 'embedded')
    await eventually(() => textOf(right) === 'embedded', 'an edit arrives')
  }

  test('attach: WebSockets on somebody else’s HTTP server, whose requests stay its own', async () => {
    const { scriptorium, http, url } = await listen((scriptorium) => {
      const http = createHttpServer((_request, response) => response.end('mine'))
      scriptorium.attach(http)
      return http
    })
    await expectWorks(url)
    expect(await (await fetch(`http://${url}/room`)).text()).toBe('mine')
    await scriptorium.close()
    expect(http.listening).toBe(true)
    expect(await (await fetch(`http://${url}/room`)).text()).toBe('mine')
  })

  test('handleUpgrade: one WebSocket at a time, chosen by the embedding program', async () => {
    const { url } = await listen((scriptorium) => {
      const http = createHttpServer()
      http.on('upgrade', (request, socket, head) => {
        if (request.headers['x-forbidden'] === undefined) scriptorium.handleUpgrade(request, socket, head)
        else socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      })
      return http
    })
    await expectWorks(url)
  })
})
