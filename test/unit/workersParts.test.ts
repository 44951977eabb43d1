import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { systemClock } from '../../server/clock.ts'
import { HttpListener } from '../../server/http/listener.ts'
import { completeOptions } from '../../server/options/parse.ts'
import { Arrivals } from '../../server/workers/arrivals.ts'
import type { Arrival } from '../../server/workers/arrivals.ts'
import { chooseWorker } from '../../server/workers/balance.ts'
import type { Candidate } from '../../server/workers/balance.ts'
import { handshakeAnswer, MAX_FRAME_START_BYTES, readFirstFrame } from '../../server/workers/firstFrame.ts'
import { BEAT_MS } from '../../server/workers/heartbeat.ts'
import { mergeMetrics } from '../../server/workers/mergedMetrics.ts'
import { readRequestHead } from '../../server/workers/requestHead.ts'
import { WorkerProcess } from '../../server/workers/workerProcess.ts'
import { eventually } from '../support/eventually.ts'
import { upgradeRequest } from '../support/rawClient.ts'
import { encodeFrame, Opcode } from '../support/rawFrames.ts'
import { concat, hex, string } from '../support/rawMessages.ts'

const silent = pino({ level: 'silent' })
const cleanups: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

describe('which worker a connection is for', () => {
  const documents = Array.from({ length: 4000 }, (_, index) => `team/notes ${index}`)
  const workers = (...loads: number[]): Candidate[] => loads.map((load, index) => ({ index, load }))
  const placed = (candidates: readonly Candidate[]): number[] =>
    documents.map((document) => chooseWorker(candidates, document)?.index ?? -1)

  test('W1: documents are spread evenly over the workers', () => {
    const counts = [0, 0, 0, 0]
    for (const index of placed(workers(0, 0, 0, 0))) counts[index] = (counts[index] ?? 0) + 1
    for (const count of counts) expect(count).toBeGreaterThan(900)
  })

  test('W1: only the documents of a worker that goes move, and to all of the others', () => {
    const [before, after] = [placed(workers(0, 0, 0)), placed(workers(0, 0, 0).slice(1))]
    const moved = documents.map((_, at) => [before[at], after[at]]).filter(([from, to]) => from !== to)
    expect(moved.every(([from]) => from === 0)).toBe(true)
    expect(new Set(moved.map(([, to]) => to))).toEqual(new Set([1, 2]))
  })

  test('W1: a worker with a quarter more than its share gets no more; below 64 connections nothing moves', () => {
    const document = documents.find((name) => chooseWorker(workers(0, 0), name)?.index === 0) ?? ''
    expect(chooseWorker(workers(63, 0), document)?.index).toBe(0)
    expect(chooseWorker(workers(64, 0), document)?.index).toBe(1)
    expect(chooseWorker(workers(1000, 610), document)?.index).toBe(0)
    expect(chooseWorker(workers(1000, 590), document)?.index).toBe(1)
  })

  test('W1: without a document, whoever has least; of nobody, nobody', () => {
    expect(chooseWorker(workers(3, 1, 2), null)?.index).toBe(1)
    expect(chooseWorker([], null)).toBeUndefined()
    expect(chooseWorker([], 'a')).toBeUndefined()
  })
})

describe('the head of a request', () => {
  test.each([
    ['a path', upgradeRequest('/team/notes%20a?token=x'), 'team/notes a'],
    ['no path, but more to negotiate', upgradeRequest('/', ['Sec-WebSocket-Protocol: a']), null],
    ['no path, but an old version', upgradeRequest('/').replace('Version: 13', 'Version: 8'), null],
    ['no path, but a wrong key', upgradeRequest('/').replace('==\r\n', '\r\n'), null],
    ['a whole address', upgradeRequest('http://other/a'), 'a'],
    ['broken escapes', upgradeRequest('/%zz'), null],
  ])('W1: an upgrade with %s', (_what, head, document) => {
    expect(readRequestHead(`${head}more`)).toEqual({ kind: 'upgrade', document })
  })

  test('W1: an upgrade without a path is a greeting, which may be answered to see the first frame', () => {
    const head = upgradeRequest('/?hello=1').replace('Upgrade: websocket', 'UPGRADE:WebSocket ')
    const greeting = { kind: 'greeting', key: 'dGhlIHNhbXBsZSBub25jZQ==', length: head.length }
    expect(readRequestHead(`${head}more`)).toEqual(greeting)
    expect(handshakeAnswer(greeting.key)).toContain('\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n')
  })

  test.each([
    ['a plain request', 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['one that speaks of upgrades', 'GET /a HTTP/1.1\r\nx: upgrade: websocket\r\n\r\n'],
    ['a TLS handshake', '\x16\x03\x01'],
    ['no request line', 'G\r\n\r\n'],
    ['more than a head may have', 'G'.repeat(17_000)],
  ])('W1: %s is left to any worker', (_what, read) => {
    expect(readRequestHead(read)).toEqual({ kind: 'request' })
  })

  test('W1: until its end is here, it is not known what it is', () => {
    const head = upgradeRequest('/a')
    for (const length of [1, 4, 20, head.length - 1]) {
      expect(readRequestHead(head.slice(0, length)), String(length)).toEqual({ kind: 'incomplete' })
    }
  })
})

describe('the first frame', () => {
  const addressed = (address: string, rest = 10): Uint8Array => concat(string(address), new Uint8Array(rest).fill(7))

  test.each([
    ['short', 'ä', 10],
    ['of medium length', 'team/notes', 200],
    ['long', '日本語', 70_000],
    ['with a long name', 'n'.repeat(512), 3],
    ['with a session', 'team/notes\0session', 3],
  ])('W1: tells its document, once enough of it is here: %s', (_what, address, rest) => {
    const frame = encodeFrame(Opcode.binary, addressed(address, rest))
    const document = address.split('\0')[0]
    expect(readFirstFrame(frame)).toEqual({ kind: 'read', document })
    expect(readFirstFrame(frame.subarray(0, MAX_FRAME_START_BYTES))).toEqual({ kind: 'read', document })
    const enough = frame.findIndex((_, length) => readFirstFrame(frame.subarray(0, length)).kind === 'read')
    expect(enough).toBeGreaterThan(Buffer.byteLength(address))
    expect(enough).toBeLessThan(Buffer.byteLength(address) + 20)
  })

  test.each([
    ['y-websocket', encodeFrame(Opcode.binary, hex('00 00 01 00'))],
    ['text', encodeFrame(Opcode.text, addressed('a'))],
    ['a fragment', encodeFrame(Opcode.binary, addressed('a'), { fin: false })],
    ['without a mask', encodeFrame(Opcode.binary, addressed('a'), { masked: false })],
    ['a close frame', encodeFrame(Opcode.close, hex('03 e8'))],
    ['an endless name', encodeFrame(Opcode.binary, hex('ff ff ff ff 7f'))],
  ])('W1: is left to any worker when it tells none: %s', (_what, frame) => {
    expect(readFirstFrame(frame)).toEqual({ kind: 'read', document: null })
  })
})

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, onSocket).listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => void server.close())
  return (server.address() as AddressInfo).port
}

function client(port: number): { socket: Socket; received: () => string } {
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.on('error', () => undefined)
  cleanups.push(() => void socket.destroy())
  return { socket, received: () => text }
}

describe('connections that have just arrived', () => {
  test('C66: who has not said within 10 s what he wants is told 408, whatever he drips; the others are not', async () => {
    const clock = new FakeClock()
    const arrived: Arrival[] = []
    const timeouts = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 }
    const onArrival = (arrival: Arrival): void => void arrived.push(arrival)
    const arrivals = new Arrivals({ clock, timeouts, mayAnswer: () => true, onArrival })
    const port = await listen((socket) => arrivals.add(socket))
    const [silentOne, dripping] = [client(port), client(port)]
    await eventually(() => arrivals.size === 2, 'both are there')
    clock.advance(6_000)
    const late = client(port)
    dripping.socket.write('GET / HT')
    await eventually(() => arrivals.size === 3, 'the third is there')
    clock.advance(6_000)
    await eventually(() => silentOne.received() !== '' && dripping.received() !== '', 'they are told')
    expect([silentOne.received(), dripping.received()]).toEqual(
      [1, 2].map(() => 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n'),
    )
    late.socket.write('GET / HTTP/1.1\r\n\r\n')
    await eventually(() => arrived.length === 1, 'the third is served')
    expect([arrived[0]?.head, late.received(), arrivals.size]).toEqual(['GET / HTTP/1.1\r\n\r\n', '', 0])
    clock.advance(2_000)
    expect(clock.timers, 'no timer without anybody to watch').toBe(0)
    arrived[0]?.socket.destroy()
  })

  test('T2: a WebSocket that stays silent is given to a worker, which judges it; one too many is not answered', async () => {
    const clock = new FakeClock()
    const arrived: Arrival[] = []
    const timeouts = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 }
    const onArrival = (arrival: Arrival): void => void arrived.push(arrival)
    const arrivals: Arrivals = new Arrivals({ clock, timeouts, mayAnswer: () => arrivals.answered < 1, onArrival })
    const port = await listen((socket) => arrivals.add(socket))
    const silentOne = client(port)
    silentOne.socket.write(upgradeRequest('/'))
    await eventually(() => silentOne.received().startsWith('HTTP/1.1 101'), 'it is answered')
    client(port).socket.write(upgradeRequest('/'))
    await eventually(() => arrived.length === 1, 'the other one is not')
    clock.advance(4_000)
    const [other, first] = arrived
    expect([other?.isAnswered, first?.isAnswered, first?.head]).toEqual([false, true, upgradeRequest('/')])
    expect([arrivals.size, arrivals.answered]).toEqual([0, 0])
    for (const { socket } of arrived) socket.destroy()
  })

  test('C66: a worker applies its time limits to connections it was given', async () => {
    const listener = new HttpListener({
      logger: silent,
      metrics: null,
      health: { reasons: () => [] },
      demoDirectory: null,
      version: '1',
      timeouts: { headersMs: 50, requestMs: 60, checkMs: 10 },
    })
    const port = await listen((socket) => {
      socket.once('data', (head: Buffer) => {
        listener.adopt(socket, head)
      })
    })
    const slow = client(port)
    slow.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    await eventually(() => slow.received().includes('200 OK'), 'the first request is answered')
    slow.socket.write('GET /healthz HTTP/1.1\r\nx')
    await eventually(() => slow.received().includes('408 Request Timeout'), 'the second is given up')
    await listener.close()
  })
})

describe('metrics of several processes', () => {
  test('each name once, each sample with its worker, whatever stands in the other labels', () => {
    const text = (value: number): string =>
      [
        '# HELP a What.',
        '# TYPE a counter',
        `a ${value}`,
        `a{code="1",text="} \\" {"} ${value} 1700000000`,
        '',
        '# HELP b_c Else.',
        '# TYPE b_c gauge',
        'b_c NaN',
        '',
      ].join('\n')
    const merged = mergeMetrics([
      { worker: 'primary', text: '' },
      { worker: '0', text: text(1) },
      { worker: '1', text: text(2) },
    ])
    expect(merged.split('\n').filter((line) => line !== '')).toEqual([
      '# HELP a What.',
      '# TYPE a counter',
      'a{worker="0"} 1',
      'a{worker="0",code="1",text="} \\" {"} 1 1700000000',
      'a{worker="1"} 2',
      'a{worker="1",code="1",text="} \\" {"} 2 1700000000',
      '# HELP b_c Else.',
      '# TYPE b_c gauge',
      'b_c{worker="0"} NaN',
      'b_c{worker="1"} NaN',
    ])
  })
})

describe('a worker that dies again and again', () => {
  async function program(source: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'scriptorium-worker-'))
    cleanups.push(() => rm(directory, { recursive: true, force: true }))
    const entry = join(directory, 'worker.mjs')
    await writeFile(entry, source)
    return entry
  }

  /** Notes the pauses before a start, and makes them short. */
  function hurried() {
    const pauses: number[] = []
    const after = (milliseconds: number, task: () => void): (() => void) => {
      if (milliseconds === BEAT_MS) return systemClock.after(milliseconds, task)
      pauses.push(milliseconds)
      return systemClock.after(1, task)
    }
    return { pauses, clock: { ...systemClock, after } }
  }

  const rest = {
    index: 3,
    options: completeOptions({}),
    logger: silent,
    onEngineSocket: null,
    onRefused: () => undefined,
    onSilent: () => undefined,
    onScrape: () => Promise.resolve(''),
  }

  const serve =
    "const say = (message, then) => process.send(message, then)\nconst ready = { type: 'ready', durability: 'os' }\n"

  test.each([
    ['at once', "process.on('message', () => say(ready, () => process.exit(7)))"],
    [
      'after it has said that it ends',
      "process.on('message', () => { say(ready); say({ type: 'leaving' }, () => process.exit(1)) })",
    ],
  ])('W7: %s: is started again after 100 ms, doubled up to 5 s', async (_how, source) => {
    const { pauses, clock } = hurried()
    const worker = new WorkerProcess({ ...rest, entry: await program(serve + source), clock })
    expect(await worker.start()).toMatchObject({ durability: 'os' })
    await eventually(() => pauses.length >= 8, 'it has died often', { within: 20_000 })
    expect(pauses.slice(0, 8)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000])
    await worker.stop(1000)
    expect(worker.starts).toBeGreaterThanOrEqual(8)
  })

  test('W7: in order, because it was told to: is replaced at once', async () => {
    const { pauses, clock } = hurried()
    const source = "process.on('message', () => { say(ready); say({ type: 'leaving' }, () => process.exit(0)) })"
    const worker = new WorkerProcess({ ...rest, entry: await program(serve + source), clock })
    await worker.start()
    await eventually(() => worker.starts >= 3, 'others take its place')
    await worker.stop(1000)
    expect(new Set(pauses)).toEqual(new Set([0]))
  })

  test('W7: before it has ever served ends the start', async () => {
    const worker = new WorkerProcess({ ...rest, entry: await program('process.exit(7)'), clock: systemClock })
    await expect(worker.start()).rejects.toThrow('worker 3 could not start')
    expect(worker.starts).toBe(1)
  })
})
