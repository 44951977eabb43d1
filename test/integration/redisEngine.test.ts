import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Engine, EngineHealth } from '../../server/engine/engine.ts'
import { openRedisEngine } from '../../server/engine/redis/redisEngine.ts'
import type { RedisEngineOptions } from '../../server/engine/redis/redisEngine.ts'
import { hurriedClock, patientClock } from '../support/clocks.ts'
import { EngineListener } from '../support/engineListener.ts'
import { eventually } from '../support/eventually.ts'
import { RedisProxy } from '../support/redisProxy.ts'
import { ownPrefix, redisMissing, RedisServer } from '../support/redisServer.ts'

/** Sweeps and probes come 20 times as often; what is about the machine's speed stays as it is. */
const hurried = { clock: hurriedClock, timeoutMs: 100_000, patienceMs: 200_000 }
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const streamId = (cursor: string): string => cursor.replace(/\..*-/, '-')
const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, index) => start + index)

describe.skipIf(redisMissing !== null)('the Redis engine in trouble', () => {
  let server: RedisServer
  let cleanups: (() => Promise<void> | void)[] = []
  let prefix = ''

  beforeAll(async () => {
    server = await RedisServer.start({ appendfsync: 'always' })
  })
  afterAll(() => server.dispose())
  beforeEach(() => {
    prefix = ownPrefix()
  })
  afterEach(async () => {
    await server.resume()
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    for (const cleanup of cleanups.reverse()) await cleanup()
    cleanups = []
  })

  async function open(options: Partial<RedisEngineOptions> = {}): Promise<Engine> {
    const engine = await openRedisEngine({ url: server.url, prefix, ...options })
    cleanups.push(() => engine.close())
    return engine
  }

  async function pair(options: Partial<RedisEngineOptions> = {}): Promise<[Engine, Engine]> {
    return [await open(options), await open(options)]
  }

  /** Appends until it works, as a document does. */
  async function appendSurely(engine: Engine, document: string, value: number): Promise<void> {
    await eventually(async () => {
      await engine.append(document, bytes(value))
      return true
    }, 'the entry is appended')
  }

  /** What is in the log, as soon as it can be read. */
  async function stored(engine: Engine, document: string): Promise<(number | undefined)[]> {
    const values: (number | undefined)[] = []
    const load = async (): Promise<boolean> => {
      values.push(...(await engine.load(document)).tail.map(({ update }) => update[0]))
      return true
    }
    await eventually(load, 'the log can be read')
    return values
  }

  test('C117: Redis stops and comes back with its data: nothing is lost, nothing is stale, followers go on', async () => {
    const health: EngineHealth[] = []
    const [engine, peer] = await pair({ onHealth: (change) => health.push(change) })
    const listener = new EngineListener(engine, 'a')
    await peer.append('a', bytes(1))
    await server.stop('SIGKILL')
    await eventually(() => engine.health().state === 'failing', 'the engine knows')
    await expect(engine.append('a', bytes(9))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(engine.load('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await server.resume()
    await appendSurely(peer, 'a', 2)
    await eventually(() => listener.values.includes(2), 'the follower goes on')
    expect(listener.values).toEqual([1, 2])
    expect(listener.stales).toBe(0)
    expect(await stored(engine, 'a')).toEqual([1, 2])
    await eventually(() => engine.health().state === 'ok', 'the engine is well')
    expect(health.map(({ state }) => state).slice(0, 2)).toEqual(['failing', 'failing'])
  })

  test('C121: Redis comes back without its data: followers are stale, and no cursor of the past names a new entry', async () => {
    const [engine, peer] = await pair()
    const [listener, other] = [new EngineListener(engine, 'a'), new EngineListener(peer, 'a')]
    const cursors = [await peer.append('a', bytes(1)), await peer.append('a', bytes(2))]
    await eventually(() => listener.entries.length === 2, 'the follower is there')
    await server.stop('SIGKILL')
    await server.forget()
    await server.resume()
    await eventually(() => listener.stales === 1 && other.stales === 1, 'both are stale')
    expect(await engine.load('a')).toMatchObject({ head: null, tail: [] })
    const next = new EngineListener(engine, 'a')
    for (const value of [7, 8, 9]) await peer.append('a', bytes(value))
    await eventually(() => next.entries.length === 3, 'the new log is followed')
    for (const cursor of cursors) expect(await engine.tail('a', cursor)).toBe('trimmed')
    const { head } = await engine.load('a')
    for (const cursor of cursors) {
      expect(await engine.compact('a', null, cursor, { state: bytes(), stateVector: bytes() })).toBe(false)
    }
    expect((await engine.load('a')).head).toBe(head)
    expect([listener.stales, listener.values]).toEqual([1, [1, 2]])
  })

  test('C121: a storage that went back is noticed by whoever was further, at the next append, and by nobody else', async () => {
    const [engine, peer] = await pair()
    const behind = new EngineListener(peer, 'a')
    await engine.append('a', bytes(1))
    await eventually(() => behind.entries.length === 1, 'the other follows')
    const [log, meta] = await documentKeys()
    const past = await server.command('HGET', meta, 'head')
    behind.end()
    const ahead = new EngineListener(engine, 'a', await headOf(engine))
    const lost = await engine.append('a', bytes(2))
    await eventually(() => ahead.position === lost, 'who is ahead is there')
    // As after a failover to a replica that had not heard of the second entry yet.
    await server.command('XDEL', log, streamId(lost))
    await server.command('XSETID', log, streamId(String(past)))
    await server.command('HSET', meta, 'head', String(past))
    const follower = new EngineListener(peer, 'a', String(past))
    const after = await engine.append('a', bytes(3))
    expect(Number(after.split('.')[0])).toBeGreaterThan(Number(lost.split('.')[0]))
    await eventually(() => ahead.stales === 1, 'who knew more is stale')
    await eventually(() => follower.values.length === 1, 'who did not goes on')
    expect([follower.values, follower.stales]).toEqual([[3], 0])
    expect(await stored(engine, 'a')).toEqual([1, 3])
  })

  test('C121: a rewind in silence, and entries that take the places of lost ones, are found by the sweep', async () => {
    const engine = await open({ ...hurried })
    const peer = await open()
    await peer.append('a', bytes(1))
    const listener = new EngineListener(engine, 'a')
    const lost = await peer.append('a', bytes(2))
    await eventually(() => listener.entries.length === 2, 'the follower is there')
    const [log, meta] = await documentKeys()
    await server.command('XDEL', log, streamId(lost))
    const first = listener.entries[0]?.cursor ?? ''
    await server.command('HSET', meta, 'head', first)
    await eventually(() => listener.stales === 1, 'the follower is stale')
  })

  test('connections are cut again and again: everything arrives, in order, once the dust has settled', async () => {
    const [engine, peer] = await pair()
    const listener = new EngineListener(engine, 'a')
    for (const value of range(0, 60)) {
      await appendSurely(peer, 'a', value)
      if (value % 10 === 4) await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      if (value % 10 === 9) await server.command('CLIENT', 'KILL', 'TYPE', 'normal')
    }
    await eventually(() => listener.values.at(-1) === 59, 'the last one arrives', { detail: () => listener.values })
    expect(listener.stales).toBe(0)
    expect(listener.values).toEqual(await stored(peer, 'a'))
    expect([...new Set(listener.values)]).toEqual(range(0, 60))
  })

  test('C122: poison on the channel is dropped and counted, and stops nothing', async () => {
    const poisoned: string[] = []
    const [engine, peer] = await pair({ onPoison: (document) => poisoned.push(document) })
    const listener = new EngineListener(engine, 'a')
    await peer.append('a', bytes(1))
    await eventually(() => listener.entries.length === 1, 'the follower is there')
    const [, meta] = await documentKeys()
    const channel = meta.replace(/meta$/, 'channel')
    const poison = [
      '',
      '\x01',
      '\x02\x01',
      '\x01\x09',
      '\x01\x01\x05ab',
      '\x01\x01\x02ab\x09',
      '\x01\x02\x00\x00x',
      'x'.repeat(9),
      // A year that no clock shows: whoever believed it would raise every later epoch above it.
      `\x01\x01\x199999999999999999.evil.0-1\x00x`,
    ]
    for (const message of poison) await server.command('SPUBLISH', channel, message)
    await peer.append('a', bytes(2))
    await eventually(() => listener.entries.length === 2, 'what is sound arrives')
    expect(poisoned).toEqual(poison.map(() => 'a'))
    // Well-formed, but of a log that does not exist: the real one is asked, and nothing is believed.
    await server.command('SPUBLISH', channel, '\x01\x01\x071.a.a-1\x071.b.b-9evil')
    await peer.append('a', bytes(3))
    await eventually(() => listener.values.includes(3), 'what is sound arrives')
    expect([listener.values, listener.stales]).toEqual([[1, 2, 3], 0])
  })

  test('a document that takes longer to come than an answer may is read in pieces, and keeps nobody waiting', async () => {
    const proxy = await RedisProxy.start(server.port)
    cleanups.push(() => proxy.dispose())
    const peer = await open()
    const [state, update] = [randomBytes(5_000_000), randomBytes(3_000_000)]
    const cursor = await peer.append('big', bytes(1))
    await peer.compact('big', null, cursor, { state, stateVector: bytes(1) })
    for (const each of [update, bytes(7)]) await peer.append('big', each)
    // 8 MB take 4 s.
    proxy.bytesPerSecond = 2_000_000
    const engine = await open({ url: proxy.url, timeoutMs: 2_000 })
    const loading = engine.load('big')
    await engine.append('small', bytes(1))
    const { snapshot, tail } = await loading
    expect(Buffer.compare(snapshot?.state ?? bytes(), state)).toBe(0)
    expect(tail.map((entry) => Buffer.compare(entry.update, update))).toContain(0)
    expect([tail.length, engine.health().state]).toEqual([2, 'ok'])
  })

  test('C121: who opens what Redis has just lost is not shown an empty document while another node holds it', async () => {
    const [holder, newcomer] = [await open(), await open({ clock: patientClock })]
    const listener = new EngineListener(holder, 'a')
    await holder.append('a', bytes(1))
    await eventually(() => listener.position !== null, 'the follower is there')
    expect(await newcomer.load('b')).toMatchObject({ head: null })
    await server.command('FLUSHALL')
    // Nobody has written since: the question itself makes the holder look.
    await expect(newcomer.load('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(listener.stales).toBe(1)
    expect(await holder.load('a')).toMatchObject({ head: null, tail: [] })
    await holder.append('a', bytes(1))
    expect(await stored(newcomer, 'a')).toEqual([1])
  })

  test('C121: after a restart of Redis a document that is not there is not taken for new at once', async () => {
    const engine = await open()
    await server.stop('SIGKILL')
    await server.forget()
    await server.resume()
    const refusals: string[] = []
    const load = async (): Promise<boolean> => {
      const loaded = await engine.load('b').catch((error: unknown) => refusals.push(String(error)))
      return typeof loaded !== 'number' && loaded.head === null
    }
    await eventually(load, 'it is taken for new in the end')
    expect(refusals.at(-1)).toContain('a node may be about to put it back')
  })

  test.each([0.2, 1])('with %d of all messages lost, everything arrives without a further edit', async (share) => {
    const proxy = await RedisProxy.start(server.port)
    cleanups.push(() => proxy.dispose())
    const engine = await open({ url: proxy.url, ...hurried })
    const peer = await open()
    const listeners = range(0, 20).map((index) => new EngineListener(engine, `document ${String(index)}`))
    proxy.lostShare = share
    for (const value of range(0, 10)) {
      await Promise.all(listeners.map((_, index) => peer.append(`document ${String(index)}`, bytes(value))))
    }
    await eventually(() => listeners.every(({ entries }) => entries.length === 10), 'everything has arrived')
    for (const listener of listeners) expect(listener.values).toEqual(range(0, 10))
    expect(proxy.counts.lost).toBeGreaterThan(10)
  })

  test('a server that hangs rejects what was asked within the time limit, and is used again when it goes on', async () => {
    const [engine, peer] = await pair({ timeoutMs: 1_500 })
    const listener = new EngineListener(engine, 'a')
    await peer.append('a', bytes(1))
    await eventually(() => listener.entries.length === 1, 'the follower is there')
    server.pause()
    await expect(peer.append('a', bytes(2))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(engine.load('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(peer.health().state).toBe('failing')
    await server.resume()
    await appendSurely(peer, 'a', 3)
    await eventually(() => listener.values.at(-1) === 3, 'the follower goes on')
    expect(listener.values).toEqual(await stored(engine, 'a'))
    await eventually(() => peer.health().state === 'ok', 'it is well again')
  })

  test('closing does not hang with a server that hangs', async () => {
    const engine = await open({ timeoutMs: 300 })
    const listener = new EngineListener(engine, 'a')
    const appended = engine.append('a', bytes(1)).catch((error: unknown) => error)
    server.pause()
    await engine.close()
    await appended
    expect(listener.stales).toBe(0)
    await expect(engine.append('a', bytes(1))).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })

  test('scripts that Redis has forgotten are sent again', async () => {
    const [engine, peer] = await pair()
    const listener = new EngineListener(engine, 'a')
    await peer.append('a', bytes(1))
    await server.command('SCRIPT', 'FLUSH')
    await peer.append('a', bytes(2))
    await eventually(() => listener.entries.length === 2, 'both arrive')
  })

  test('full memory: appends are rejected, the engine is failing, and well as soon as there is room', async () => {
    const engine = await open({ ...hurried })
    await engine.append('a', bytes(1))
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    await expect(engine.append('a', bytes(2))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(engine.append('new', bytes(2))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(engine.health().state).toBe('failing')
    expect(await stored(engine, 'a')).toEqual([1])
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await eventually(() => engine.health().state === 'ok', 'it is well without another append')
    await engine.append('new', bytes(3))
    expect([await stored(engine, 'new'), await engine.list({ limit: 9 })]).toEqual([[3], ['a', 'new']])
  })

  test('a document of which Redis has evicted a part is refused, never served shorter', async () => {
    const engine = await open()
    const cursor = await engine.append('a', bytes(1))
    await engine.append('a', bytes(2))
    expect(await engine.compact('a', null, cursor, { state: bytes(1), stateVector: bytes() })).toBe(true)
    const [log, meta] = await documentKeys()
    for (const key of [log, meta]) {
      await server.command('RENAME', key, 'away')
      await expect(engine.load('a')).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      if (key === meta) await expect(engine.append('a', bytes(3))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
      await server.command('RENAME', 'away', key)
      await engine.load('a')
    }
  })

  test('a node that is alone with a document is not told what it appends itself', async () => {
    const proxy = await RedisProxy.start(server.port)
    cleanups.push(() => proxy.dispose())
    const engine = await open({ url: proxy.url })
    const alone = new EngineListener(engine, 'a')
    let last = await engine.append('a', bytes(0))
    await eventually(() => alone.position === last, 'it follows')
    const before = proxy.counts.passed
    for (const value of range(1, 20)) last = await engine.append('a', bytes(value))
    await eventually(() => alone.position === last, 'the position goes on by the answers alone')
    expect([proxy.counts.passed - before, alone.values]).toEqual([0, []])
    const peer = await open()
    const other = new EngineListener(peer, 'a', last)
    await peer.append('a', bytes(20))
    await eventually(() => alone.values.includes(20), 'somebody else is heard')
    last = await engine.append('a', bytes(21))
    await eventually(() => other.values.includes(21) && alone.position === last, 'and hears')
  })

  test('a list that has lost a name gets it back when its document is opened; one without a document is not shown', async () => {
    const [engine, peer] = await pair()
    for (const name of ['a', 'b']) await engine.append(name, bytes(1))
    await server.command('ZREM', `${prefix}names`, 'a')
    await server.command('ZADD', `${prefix}names`, '0', 'nothing')
    expect(await peer.list({ limit: 9 })).toEqual(['b'])
    await peer.load('a')
    await eventually(async () => (await engine.list({ limit: 9 })).length === 2, 'both are listed')
  })

  test('a node that is closed tells the others, and its last entries are there', async () => {
    const [engine, peer] = await pair()
    const listener = new EngineListener(engine, 'a')
    const gone = new EngineListener(peer, 'a')
    await peer.append('a', bytes(1))
    await eventually(() => listener.entries.length === 1, 'the follower is there')
    await peer.close()
    await eventually(() => listener.gone.includes(peer.node), 'it is known to be gone')
    expect(gone.gone).toEqual([])
    const late = new EngineListener(peer, 'a')
    await engine.append('a', bytes(2))
    expect([late.position, late.entries, late.stales]).toEqual([null, [], 0])
  })

  async function headOf(engine: Engine): Promise<string | null> {
    return (await engine.load('a')).head
  }

  /** Log and meta of the only document there is. */
  async function documentKeys(): Promise<[string, string]> {
    const found = (await server.command('KEYS', `${prefix}*:log`)) as string[]
    const log = found[0] ?? ''
    return [log, log.replace(/log$/, 'meta')]
  }
})
