import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { openArchive } from '../../server/engine/archive/openArchive.ts'
import type { Engine, Loaded } from '../../server/engine/engine.ts'
import { openRedisEngine } from '../../server/engine/redis/redisEngine.ts'
import { hurriedClock } from '../support/clocks.ts'
import { EngineListener } from '../support/engineListener.ts'
import { eventually } from '../support/eventually.ts'
import { HeldArchive } from '../support/heldArchive.ts'
import { postgresMissing, PostgresServer } from '../support/postgresServer.ts'
import { ownPrefix, redisMissing, RedisServer } from '../support/redisServer.ts'

/** Any engine's view of a document, as text. */
function textOf({ snapshot, tail }: Loaded): string {
  const doc = new Y.Doc()
  if (snapshot !== null) Y.applyUpdate(doc, snapshot.state)
  for (const { update } of tail) Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}

/** Somebody who types, one update per word. */
class Writer {
  readonly doc = new Y.Doc()
  readonly #updates: Uint8Array[] = []

  constructor() {
    this.doc.on('update', (update: Uint8Array) => this.#updates.push(update))
  }

  async write(engine: Engine, name: string, ...words: string[]): Promise<void> {
    for (const word of words) this.doc.getText('t').insert(this.doc.getText('t').length, word)
    for (const update of this.#updates.splice(0)) await engine.append(name, update)
  }

  async compact(engine: Engine, name: string): Promise<boolean> {
    const { base, head } = await engine.load(name)
    const snapshot = { state: Y.encodeStateAsUpdate(this.doc), stateVector: Y.encodeStateVector(this.doc) }
    return engine.compact(name, base, head ?? '', snapshot)
  }
}

/** A walk begins every second or so; the machine may be busy. */
const patience = { within: 20_000 }
const missing = redisMissing ?? postgresMissing
if (missing !== null) process.stderr.write(`Tests of the archive are SKIPPED: ${missing}\n`)

describe.skipIf(missing !== null)('cold documents leave Redis', () => {
  let redis: RedisServer
  let postgres: PostgresServer
  let prefix = ''
  let cleanups: (() => Promise<void>)[] = []
  const url = (): string => postgres.url({ schema: prefix.replace(/\W/g, '_') })

  beforeAll(async () => {
    ;[redis, postgres] = await Promise.all([RedisServer.start({ appendfsync: 'always' }), PostgresServer.start()])
  }, 60_000)
  afterAll(() => Promise.all([redis.dispose(), postgres.dispose()]))
  beforeEach(async () => {
    prefix = ownPrefix()
    await postgres.sql(`CREATE SCHEMA ${prefix.replace(/\W/g, '_')}`)
  })
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
    cleanups = []
  })

  interface Opened {
    readonly engine: Engine
    readonly held: HeldArchive
    readonly warnings: string[]
  }

  async function open(idleSeconds = 60): Promise<Opened> {
    const held = new HeldArchive(await openArchive({ url: url() }))
    const warnings: string[] = []
    const engine = await openRedisEngine({
      url: redis.url,
      prefix,
      clock: hurriedClock,
      timeoutMs: 100_000,
      patienceMs: 200_000,
      archive: { archive: held.archive, idleSeconds },
      onWarning: (warning) => warnings.push(warning),
    })
    cleanups.push(async () => {
      held.release()
      await engine.close()
    })
    return { engine, held, warnings }
  }

  async function metaKeys(): Promise<string[]> {
    return (await redis.command('KEYS', `${prefix}*:meta`)) as string[]
  }

  /** As if nobody had touched any document for an hour. */
  async function age(): Promise<void> {
    const script = `redis.call('RESTORE', KEYS[1], 0, redis.call('DUMP', KEYS[1]), 'REPLACE', 'IDLETIME', 3600)`
    for (const key of await metaKeys()) await redis.command('EVAL', script, '1', key)
  }

  /** Documents with a log in Redis. Does not touch them: that would keep them warm. */
  async function logs(): Promise<number> {
    return ((await redis.command('KEYS', `${prefix}*:log`)) as string[]).length
  }

  async function inRedis(): Promise<{ logs: number; archived: number }> {
    const metas = await metaKeys()
    const archived = await Promise.all(metas.map((meta) => redis.command('HEXISTS', meta, 'archive')))
    const snapshots = await Promise.all(metas.map((meta) => redis.command('HEXISTS', meta, 'snapshot')))
    expect(archived.map((has, index) => Number(has) + Number(snapshots[index]))).not.toContain(2)
    return { logs: await logs(), archived: archived.filter((has) => has === 1).length }
  }

  async function archivedEverything(): Promise<void> {
    // Nodes that move the same document at once may both give up; it has been touched then, and is left for a while.
    let agedAt = -Infinity
    const areAll = async (): Promise<boolean> => {
      if ((await logs()) === 0) return true
      if (performance.now() - agedAt < 2_000) return false
      await age()
      agedAt = performance.now()
      return false
    }
    await eventually(areAll, 'every document is in the archive', { within: 60_000 })
  }

  test('and are served as they were, by any node; cursors go on', async () => {
    const [{ engine }, { engine: peer }] = [await open(), await open()]
    const [writer, other] = [new Writer(), new Writer()]
    await writer.write(engine, 'a', 'one ', 'two ')
    await other.write(engine, 'b', 'x')
    expect(await writer.compact(engine, 'a')).toBe(true)
    await writer.write(engine, 'a', 'three ')
    const before = await engine.load('a')
    await archivedEverything()
    expect(await inRedis()).toEqual({ logs: 0, archived: 2 })
    for (const node of [engine, peer]) {
      const loaded = await node.load('a')
      expect([textOf(loaded), loaded.head, loaded.base, loaded.tail]).toEqual([
        'one two three ',
        before.head,
        before.head,
        [],
      ])
      expect(textOf(await node.load('b'))).toBe('x')
    }
    const listener = new EngineListener(peer, 'a', before.head)
    await writer.write(engine, 'a', 'four')
    await eventually(() => listener.entries.length === 1, 'the new entry arrives')
    expect(listener.stales).toBe(0)
    expect(textOf(await peer.load('a'))).toBe('one two three four')
    expect(await peer.list({ limit: 9 })).toEqual(['a', 'b'])
  })

  test('but not while somebody follows them, nor when they have just been used', async () => {
    const [writer, follower] = [await open(86_400), await open(86_400)]
    const listener = new EngineListener(follower.engine, 'followed')
    for (const name of ['followed', 'used', 'cold']) await new Writer().write(writer.engine, name, name)
    await eventually(() => listener.entries.length === 1, 'it is followed')
    await age()
    await writer.engine.load('used')
    const { engine, held } = await open() // from now on there is somebody who moves them
    await eventually(async () => (await logs()) === 2, 'the cold one is in the archive', patience)
    expect(await inRedis()).toEqual({ logs: 2, archived: 1 })
    expect(held.done.put).toBe(1)
    listener.end()
    await archivedEverything()
    expect(textOf(await engine.load('followed'))).toBe('followed')
  })

  test('a document that is compacted after it came back takes its part with it, which is dropped later', async () => {
    const { engine, held } = await open()
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    const [first] = await held.inner.list('a')
    await writer.write(engine, 'a', 'two ')
    expect(await writer.compact(engine, 'a')).toBe(true)
    expect(await inRedis()).toEqual({ logs: 1, archived: 0 })
    expect(await held.inner.list('a')).toEqual([first])
    for (const word of ['three ', 'four ']) {
      await writer.write(engine, 'a', word)
      await archivedEverything()
    }
    const left = await held.inner.list('a')
    expect([left.length, left.includes(first ?? '')]).toEqual([2, false])
    expect(textOf(await engine.load('a'))).toBe('one two three four ')
  })

  test('C121: a document that Redis has lost is the one in the archive', async () => {
    const { engine } = await open()
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    await writer.write(engine, 'b', '')
    await archivedEverything()
    const before = await engine.load('a')
    const listener = new EngineListener(engine, 'a', before.head)
    await redis.command('FLUSHALL')
    await eventually(() => listener.stales === 1, 'who followed is stale')
    expect(await engine.list({ limit: 9 })).toEqual(['a'])
    // An append is what somebody may come with first, too.
    await writer.write(engine, 'a', 'two')
    const loaded = await engine.load('a')
    expect(textOf(loaded)).toBe('one two')
    expect(await engine.tail('a', before.head ?? '')).toBe('trimmed')
    await archivedEverything()
    expect(textOf(await engine.load('a'))).toBe('one two')
  })

  test('without its archived part a document is refused, never served shorter', async () => {
    const [{ engine, held }] = [await open()]
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    await writer.write(engine, 'a', 'two')
    await new Writer().write(engine, 'b', 'warm')
    await postgres.stop()
    for (const name of ['a', 'never heard of']) {
      await expect(engine.load(name)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    }
    expect(textOf(await engine.load('b'))).toBe('warm')
    await postgres.restart()
    await eventually(async () => textOf(await engine.load('a')) === 'one two', 'it is served again')
    await held.inner.drop('a', await held.inner.list('a'))
    await expect(engine.load('a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
    const poor = await openRedisEngine({ url: redis.url, prefix })
    await expect(poor.load('a')).rejects.toThrow('start this node with --archive')
    await poor.close()
  })

  test('a document that is used while it moves stays, and its part is dropped', async () => {
    const { engine, held } = await open()
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    held.held = 'put'
    await age()
    await eventually(() => held.waiting === 1, 'it is about to move')
    await writer.write(engine, 'a', 'two')
    held.release()
    await eventually(() => held.done.drop === 1, 'the part is dropped')
    expect(await held.inner.list('a')).toEqual([])
    expect([textOf(await engine.load('a')), await inRedis()]).toEqual(['one two', { logs: 1, archived: 0 }])
  })

  test(
    'two nodes that move the same documents, again and again while they are edited, lose nothing',
    { timeout: 300_000 },
    async () => {
      const [{ engine }, { engine: peer }] = [await open(), await open()]
      const writers = ['a', 'b', 'c', 'd'].map((name) => ({ name, writer: new Writer() }))
      for (let round = 0; round < 12; round++) {
        // In turns: when all have moved, and while they do.
        await (round % 2 === 0 ? archivedEverything() : age())
        const node = round % 4 < 2 ? engine : peer
        for (const { name, writer } of writers) {
          await writer.write(node, name, `${String(round)} `)
          if (round % 3 === 2) await writer.compact(node, name)
        }
      }
      await archivedEverything()
      for (const { name, writer } of writers) {
        expect(textOf(await peer.load(name))).toBe(writer.doc.getText('t').toString())
      }
    },
  )

  test('C122: what Redis forgets of the last seconds does not matter: parts are dropped long after', async () => {
    const { engine } = await open()
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    const [meta = ''] = await metaKeys()
    await redis.command('COPY', meta, 'kept', 'REPLACE')
    await writer.write(engine, 'a', 'two ')
    expect(await writer.compact(engine, 'a')).toBe(true)
    // As Redis would be with everysec, had it died now: the compaction, and the entry, are gone.
    await redis.command('DEL', meta.replace(/meta$/, 'log'))
    await redis.command('COPY', 'kept', meta, 'REPLACE')
    expect(textOf(await engine.load('a'))).toBe('one ')
  })

  /** What Redis has of the only document; the returned function brings it back, as a backup does. */
  async function backUp(): Promise<() => Promise<void>> {
    const [meta = ''] = await metaKeys()
    const keys = [meta, meta.replace(/meta$/, 'log')]
    for (const key of keys) await redis.command('COPY', key, `kept:${key}`, 'REPLACE')
    return async () => {
      for (const key of keys) {
        await redis.command('DEL', key)
        await redis.command('COPY', `kept:${key}`, key, 'REPLACE')
      }
    }
  }

  test('C122: a Redis from long ago names parts that are gone: the document is in the newer ones', async () => {
    const [{ engine, held }, { engine: peer }] = [await open(), await open()]
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    const [first = ''] = await held.inner.list('a')
    const restoreCold = await backUp()
    for (const word of ['two ', 'three ']) {
      await writer.write(engine, 'a', word)
      await archivedEverything()
    }
    await eventually(async () => !(await held.inner.list('a')).includes(first), 'the first part is dropped')
    await restoreCold()
    const loaded = await Promise.all([engine, peer, engine, peer].map((node) => node.load('a')))
    expect(loaded.map(textOf)).toEqual(Array(4).fill('one two three '))
    // And from there it goes on, as any other: with an entry, with a compaction, and into the archive.
    await writer.write(peer, 'a', 'four ')
    expect(await writer.compact(peer, 'a')).toBe(true)
    await archivedEverything()
    await writer.write(peer, 'a', 'five ')
    await archivedEverything()
    expect(textOf(await engine.load('a'))).toBe('one two three four five ')
    await eventually(async () => (await held.inner.list('a')).length === 2, 'no more parts are kept than of others')
  })

  test('C122: what that Redis has in its log is still a part of the document', async () => {
    const { engine, held } = await open()
    const [writer, other] = [new Writer(), new Writer()]
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    const [first = ''] = await held.inner.list('a')
    await writer.write(engine, 'a', 'two ')
    const restoreWarm = await backUp()
    // What only the newer parts have, and what was written after the restoration.
    await other.write(engine, 'a', 'x')
    for (const word of ['', 'three ']) {
      await writer.write(engine, 'a', word)
      await archivedEverything()
    }
    await eventually(async () => !(await held.inner.list('a')).includes(first), 'the first part is dropped')
    await restoreWarm()
    await writer.write(engine, 'a', 'four ')
    const loaded = await engine.load('a')
    expect([textOf(loaded).replace('x', ''), textOf(loaded).includes('x')]).toEqual(['one two three four ', true])
    expect(loaded.tail.length).toBe(2)
  })

  test('a part that is missing or damaged is never replaced by an older one, nor is one that is there', async () => {
    const { engine, held } = await open()
    const writer = new Writer()
    const schema = prefix.replace(/\W/g, '_')
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    const restore = await backUp()
    await writer.write(engine, 'a', 'two ')
    await archivedEverything()
    const [older = '', newer = ''] = await held.inner.list('a')
    const damage = `UPDATE ${schema}.scriptorium_archive SET part = set_byte(part, 9, get_byte(part, 9) # 1)`
    await held.inner.drop('a', [newer])
    await expect(engine.load('a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
    await restore()
    expect(textOf(await engine.load('a'))).toBe('one ')
    await held.inner.put('a', (await engine.load('a')).snapshot ?? expect.fail('there is a snapshot'))
    await postgres.sql(`${damage} WHERE reference = $1`, [older])
    await expect(engine.load('a')).rejects.toMatchObject({ code: 'ARCHIVE_DAMAGED' })
    expect((await held.inner.list('a')).length).toBe(2)
  })

  test('a part is dropped only after the one that contains it is kept', async () => {
    const { engine, held } = await open()
    const writer = new Writer()
    await writer.write(engine, 'a', 'one ')
    await archivedEverything()
    await writer.write(engine, 'a', 'two ')
    expect(await writer.compact(engine, 'a')).toBe(true)
    held.held = 'put'
    await age()
    await eventually(() => held.waiting === 1, 'it is about to move', patience)
    expect([(await held.inner.list('a')).length, held.done.drop]).toEqual([1, undefined])
    held.release()
    await archivedEverything()
    await eventually(async () => (await held.inner.list('a')).length === 1, 'the spent part is dropped')
    expect(textOf(await engine.load('a'))).toBe('one two ')
  })

  test('a removed document is gone from the archive as well, and does not come back', async () => {
    const [{ engine, held }, { engine: peer }] = [await open(), await open()]
    await new Writer().write(engine, 'a', 'secret')
    await archivedEverything()
    held.held = 'drop'
    const removal = engine.remove('a')
    await eventually(() => held.waiting === 1, 'it is removed from Redis, not yet from the archive')
    expect((await peer.load('a')).head).toBe(null)
    held.release()
    await removal
    expect([await held.inner.list('a'), await engine.list({ limit: 9 }), (await peer.load('a')).head]).toEqual([
      [],
      [],
      null,
    ])
    await new Writer().write(peer, 'a', 'new')
    expect(textOf(await engine.load('a'))).toBe('new')
  })
})
