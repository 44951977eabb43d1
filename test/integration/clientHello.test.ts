import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { Clock } from '../../server/clock.ts'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { hello, HELLO_TYPE, wantsHello } from '../../shared/wire/hello.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import {
  awareness,
  confirmation,
  countedUpdate,
  EMPTY_UPDATE,
  MessageType,
  probeAnswer,
  readMessage,
  SAVED,
  syncStep1,
  syncUpdate,
} from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { encodeString } from '../../shared/wire/writer.ts'
import { hurriedClock, patientClock } from '../support/clocks.ts'
import { chainOfUpdates } from '../support/collaborator.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/rawClient.ts'
import { TestServer } from '../support/testServer.ts'

const ADDRESS = 'room\0session'
const step1 = syncStep1(new Uint8Array([0]))

/** In both framings: what a client says first, and what stands before the answer. */
const framings = [
  ['y-websocket', step1, new Uint8Array()],
  ['hocuspocus', new Uint8Array([...encodeString(ADDRESS), ...step1]), encodeString(ADDRESS)],
] as const

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  const host = await TestServer.start(options)
  cleanups.push(() => host.dispose())
  return host
}

async function connect(host: TestServer, path: string): Promise<RawClient> {
  const client = await RawClient.open(host.port, path)
  cleanups.push(() => client.destroy())
  return client
}

function bytes(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts)
}

/** What the updates among these messages make. */
function textOf(messages: readonly Buffer[], prefix: Uint8Array): string {
  const doc = new Y.Doc()
  for (const bytes of messages) {
    const message = readMessage(new Reader(bytes.subarray(prefix.length)))
    if (message.type === 'update') Y.applyUpdate(doc, message.update)
  }
  return doc.getText('text').toJSON()
}

describe.each(framings)('%s', (_name, first, prefix) => {
  test('T1: who asks with ?hello=1 is told, first of all, and after its own first frame only', async () => {
    const host = await start()
    for (const query of ['?hello=1', '?a=b&hello=1', '?hello=1&a=b']) {
      const client = await connect(host, `/room${query}`)
      expect(client.messages).toEqual([])
      client.send(first)
      await client.until(() => client.messages.length >= 3, 'three answers')
      expect(client.messages[0]).toEqual(bytes(prefix, hello(1)))
      expect(client.messages[1]?.subarray(prefix.length, prefix.length + 2)).toEqual(Buffer.from([0, 0]))
      client.send(first)
      await client.until(() => client.messages.length >= 5, 'two more')
      expect(client.messages.filter((message) => message[prefix.length] === HELLO_TYPE).length).toBe(1)
    }
  })

  test('T1: it leaves in one write with the answer, and alone while the document is being loaded', async () => {
    const host = await start({ engine: new MemoryEngine() })
    const writes: number[] = []
    // Several, since on a machine that stands still for 10 ms the hello of one may have to leave alone.
    for (let round = 0; round < 10 && writes.at(-1) !== 1; round += 1) {
      const client = await connect(host, `/room${round}?hello=1`)
      let count = 0
      client.socket.on('data', () => (count += 1))
      client.send(first)
      await client.until(() => client.messages.length >= 3, 'three answers')
      writes.push(count)
    }
    expect(writes.at(-1)).toBe(1)
    const engine = new FaultyEngine(new MemoryEngine())
    const release = engine.hold('load')
    const waiting = await connect(await start({ engine }), '/room?hello=1')
    waiting.send(first)
    await waiting.until(() => waiting.messages.length > 0, 'the hello')
    expect(waiting.messages).toEqual([bytes(prefix, hello(0))])
    release()
    await waiting.until(() => waiting.messages.length >= 3, 'the answer')
    expect(waiting.messages.filter((message) => message[prefix.length] === HELLO_TYPE).length).toBe(1)
  })

  test('T1: nobody else ever gets such a message', async () => {
    const host = await start()
    for (const query of ['', '?hello=2', '?hello=11', '?xhello=1', '?hello', '?a=hello=1', '?hello=', '/hello=1']) {
      const client = await connect(host, `/room${query}`)
      client.send(first)
      await client.until(() => client.messages.length >= 2, 'two answers')
      expect(client.messages.map((message) => message[prefix.length])).not.toContain(HELLO_TYPE)
    }
  })

  test('D3: who asks is told how many of its counted updates are durable, once they are, and not sent its own words', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const host = await start({ engine })
    const [author, reader] = [await connect(host, '/room?hello=1'), await connect(host, '/room')]
    for (const client of [author, reader]) {
      client.send(first)
      await client.until(() => client.messages.length >= 2, 'the state')
    }
    const isPresence = (message: Buffer): boolean => message[prefix.length] === MessageType.awareness
    const show = (clock: number): void =>
      author.send(bytes(prefix, awareness(encodeAwareness([{ client: 1, clock, json: Buffer.from('{}') }]))))
    show(1) // told under a higher clock, as of anybody who may be coming back: that it has to hear
    await author.until(() => author.messages.some(isPresence), 'the raised clock')
    const heardBefore = author.messages.length
    const release = engine.hold('append')
    const [one = EMPTY_UPDATE, two = EMPTY_UPDATE] = chainOfUpdates(1, 'ab')
    author.send(bytes(prefix, countedUpdate(one)))
    author.send(bytes(prefix, syncUpdate(two))) // not counted
    show(5)
    await reader.until(() => reader.messages.filter(isPresence).length > 1, 'presence')
    expect(author.messages.slice(heardBefore)).toEqual([])
    release()
    await reader.until(() => textOf(reader.messages, prefix) === 'ab', 'both updates')
    await author.until(() => author.messages.length > heardBefore, 'a confirmation')
    author.send(bytes(prefix, probeAnswer(Buffer.from('end'))))
    await author.until(() => author.messages.length > heardBefore + 1, 'the probe')
    const heard = author.messages.slice(heardBefore)
    expect(heard).toEqual([bytes(prefix, confirmation(1)), bytes(prefix, probeAnswer(Buffer.from('end')))])
  })

  test('S10: who asks and does not count is told what everybody else is', async () => {
    const client = await connect(await start(), '/room?hello=1')
    client.send(first)
    await client.until(() => client.messages.length >= 3, 'the state')
    const before = client.messages.length
    const [update = EMPTY_UPDATE] = chainOfUpdates(1, 'a')
    client.send(bytes(prefix, syncUpdate(update)))
    const due = [bytes(prefix, syncUpdate(update)), ...(prefix.length > 0 ? [bytes(prefix, SAVED)] : [])]
    await client.until(() => client.messages.length >= before + due.length, 'the echo')
    expect(client.messages.slice(before)).toEqual(due)
  })

  test('T1: a server that keeps documents in memory does not call itself durable', async () => {
    const host = await start({ engine: new MemoryEngine() })
    const client = await connect(host, '/room?hello=1')
    client.send(first)
    await client.until(() => client.messages.length > 0, 'an answer')
    expect(client.messages[0]).toEqual(bytes(prefix, hello(0)))
  })
})

describe('L1: the document of who asks with ?hello=1', () => {
  async function loads(
    path: string,
    clock: Clock = patientClock,
  ): Promise<{ host: TestServer; client: RawClient; count: () => number }> {
    const engine = new FaultyEngine(new MemoryEngine())
    // Whoever says nothing is not closed before the document is dropped, on a clock that hurries.
    const host = await start({ engine, clock, limits: { firstFrameTimeoutMs: 1_000_000 } })
    return { host, client: await connect(host, path), count: () => engine.calls('load') }
  }

  test('is loaded before it has said anything, once', async () => {
    const { host, client, count } = await loads('/a/room?hello=1')
    await eventually(() => count() === 1, 'the load')
    expect(host.server.documents.names()).toEqual(['a/room'])
    expect(client.messages).toEqual([])
    client.send(step1)
    await client.until(() => client.messages.length >= 3, 'three answers')
    expect(count()).toBe(1)
  })

  test('is dropped when nobody joins, and loaded again for who does after all', async () => {
    const { host, client, count } = await loads('/room?hello=1', hurriedClock)
    await eventually(() => count() === 1, 'the load')
    await eventually(() => host.server.documents.names().length === 0, 'it is dropped')
    client.send(step1)
    await client.until(() => client.messages.length >= 3, 'three answers')
    expect(count()).toBe(2)
  })

  test('is not guessed where the path may not be its name, or cannot be', async () => {
    for (const path of ['/room', '/?hello=1', '/base/?hello=1', `/${'x'.repeat(513)}?hello=1`, '/%00?hello=1']) {
      const { host, count } = await loads(path) // the upgrade has been answered, in the turn in which it would begin
      expect(host.server.documents.names()).toEqual([])
      expect(count()).toBe(0)
    }
  })

  test('a load that fails before anybody joins is begun anew for who does', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    engine.fail('load')
    const host = await start({ engine })
    const client = await connect(host, '/room?hello=1')
    await eventually(() => engine.calls('load') === 1, 'the load')
    await eventually(() => host.server.documents.names().length === 0, 'it is given up')
    client.send(step1)
    await client.until(() => client.messages.length >= 3, 'three answers')
    expect(engine.calls('load')).toBe(2)
  })
})

test('T4: who names no document is denied, and told nothing else', async () => {
  const host = await start()
  const client = await connect(host, '/?hello=1')
  client.send(step1)
  await client.until(() => client.messages.length > 0, 'an answer')
  expect(client.messages[0]?.subarray(0, 2)).toEqual(Buffer.from([2, 0]))
})

test('a hello is 70 buf(version, features), and is asked for by hello=1 in the query', () => {
  expect(Buffer.from(hello(1)).toString('hex')).toBe('70020101')
  expect(Buffer.from(hello(300)).toString('hex')).toBe('700301ac02')
  expect(['/a?hello=1', '/?b&hello=1', '/hello=1', '/a?hello=1x', '/a?hello='].map((url) => wantsHello(url))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ])
})
