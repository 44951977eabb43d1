import assert from 'node:assert/strict'
import type { Cursor, Engine, Loaded, Snapshot } from '../engine/engine.ts'
import { StorageError } from '../../shared/errors.ts'

/** An engine under test, empty at the start of each case. */
export interface EngineUnderTest {
  readonly engine: Engine
  /** Closes the engine and opens the same storage again. An engine that keeps nothing returns the one it has. */
  reopen(): Promise<Engine>
  /** Closes what is open and removes the storage. */
  cleanup(): Promise<void>
}

export interface EngineCase {
  readonly title: string
  /** Throws an AssertionError when the engine breaks the promise named in the title. */
  run(): Promise<void>
}

type Body = (engine: Engine, test: EngineUnderTest) => Promise<void>

/**
 * What every engine must do, as cases for any test runner:
 *
 *     for (const { title, run } of engineContract(make)) test(title, run)
 */
export function engineContract(make: () => Promise<EngineUnderTest>): readonly EngineCase[] {
  return cases.map(([title, body]) => ({
    title,
    run: async () => {
      const test = await make()
      try {
        await body(test.engine, test)
      } finally {
        await test.cleanup()
      }
    },
  }))
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const snapshotOf = (...values: number[]): Snapshot => ({ state: bytes(...values), stateVector: bytes(values.length) })
const contents = (loaded: Loaded): number[][] => loaded.tail.map((entry) => [...entry.update])

async function appendAll(engine: Engine, document: string, values: readonly number[]): Promise<Cursor[]> {
  const cursors: Cursor[] = []
  for (const value of values) cursors.push(await engine.append(document, bytes(value)))
  return cursors
}

function at(cursors: readonly Cursor[], index: number): Cursor {
  const cursor = cursors.at(index)
  assert.ok(cursor !== undefined, `there is a cursor ${index}`)
  return cursor
}

function sequence(cursor: Cursor): number {
  return Number(cursor.slice(cursor.lastIndexOf('-') + 1))
}

const isClosedError = (error: unknown): boolean => error instanceof StorageError && error.code === 'STORAGE_CLOSED'

const cases: readonly (readonly [title: string, body: Body])[] = [
  [
    'a document never written has neither snapshot nor tail nor head',
    async (engine) => {
      assert.deepEqual(await engine.load('nothing'), {
        base: null,
        snapshot: null,
        tail: [],
        head: null,
        damaged: false,
      })
      assert.deepEqual(await engine.list({ limit: 10 }), [], 'and loading it does not create it')
    },
  ],
  [
    'entries come back in the order in which they were appended, the last of them as head',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      const loaded = await engine.load('a')
      assert.deepEqual(contents(loaded), [[1], [2], [3]])
      assert.deepEqual(
        loaded.tail.map((entry) => entry.cursor),
        cursors,
      )
      assert.equal(loaded.head, at(cursors, -1))
      assert.equal(loaded.base, null)
      assert.equal(loaded.damaged, false)
    },
  ],
  [
    'sequences start at 1 and are dense, in each document by itself',
    async (engine) => {
      const [a, b] = [await appendAll(engine, 'a', [1, 2, 3]), await appendAll(engine, 'b', [4, 5])]
      assert.deepEqual(a.map(sequence), [1, 2, 3])
      assert.deepEqual(b.map(sequence), [1, 2])
    },
  ],
  [
    'concurrent appends get one sequence each, and all are there',
    async (engine) => {
      const values = Array.from({ length: 200 }, (_, index) => index)
      const cursors = await Promise.all(values.map((value) => engine.append('a', bytes(value))))
      assert.deepEqual(
        cursors.map(sequence).sort((left, right) => left - right),
        values.map((value) => value + 1),
      )
      const stored = contents(await engine.load('a')).map(([value]) => value ?? -1)
      assert.deepEqual(
        stored.sort((left, right) => left - right),
        values,
      )
    },
  ],
  [
    'what append resolved for is in the next load, while others are being appended',
    async (engine) => {
      const others = Array.from({ length: 50 }, (_, index) => engine.append(`other-${index % 5}`, bytes(index)))
      await engine.append('a', bytes(7))
      assert.deepEqual(contents(await engine.load('a')), [[7]])
      await Promise.all(others)
    },
  ],
  [
    'the same update appended twice is stored twice: at least once, never merged away',
    async (engine) => {
      await appendAll(engine, 'a', [1, 1])
      assert.deepEqual(contents(await engine.load('a')), [[1], [1]])
    },
  ],
  [
    'tail returns what came after a cursor, and nothing after the head',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      const tail = await engine.tail('a', at(cursors, 0))
      assert.ok(tail !== 'trimmed')
      assert.deepEqual(
        tail.map((entry) => [...entry.update]),
        [[2], [3]],
      )
      assert.deepEqual(await engine.tail('a', at(cursors, -1)), [])
    },
  ],
  [
    'tail says trimmed for a cursor of another storage, of a document that does not exist, and beyond the head',
    async (engine) => {
      const [cursor] = await appendAll(engine, 'a', [1])
      assert.ok(cursor !== undefined)
      assert.equal(await engine.tail('a', 'elsewhere-1'), 'trimmed')
      assert.equal(await engine.tail('a', cursor.replace(/1$/, '99')), 'trimmed')
      assert.equal(await engine.tail('nothing', cursor), 'trimmed')
    },
  ],
  [
    'compaction replaces everything up to its cursor by the snapshot and keeps what came after',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      assert.equal(await engine.compact('a', null, at(cursors, 1), snapshotOf(1, 2)), true)
      const loaded = await engine.load('a')
      assert.equal(loaded.base, at(cursors, 1))
      assert.deepEqual([...(loaded.snapshot?.state ?? [])], [1, 2])
      assert.deepEqual([...(loaded.snapshot?.stateVector ?? [])], [2])
      assert.deepEqual(contents(loaded), [[3]])
      assert.equal(loaded.head, at(cursors, 2))
    },
  ],
  [
    'compaction up to the head leaves an empty tail, and the next sequence follows',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2])
      await engine.compact('a', null, at(cursors, -1), snapshotOf(1, 2))
      const loaded = await engine.load('a')
      assert.deepEqual(loaded.tail, [])
      assert.equal(loaded.head, at(cursors, -1))
      assert.equal(sequence(await engine.append('a', bytes(3))), 3)
    },
  ],
  [
    'compaction is a compare-and-swap on base: a stale one changes nothing',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      assert.equal(await engine.compact('a', at(cursors, 0), at(cursors, 2), snapshotOf(9)), false)
      assert.equal(await engine.compact('a', null, at(cursors, 0), snapshotOf(1)), true)
      assert.equal(await engine.compact('a', null, at(cursors, 2), snapshotOf(9)), false)
      assert.equal(await engine.compact('a', at(cursors, 0), at(cursors, 1), snapshotOf(1, 2)), true)
      assert.equal(await engine.compact('nothing', null, at(cursors, 0), snapshotOf(9)), false)
      const loaded = await engine.load('a')
      assert.deepEqual([...(loaded.snapshot?.state ?? [])], [1, 2])
      assert.deepEqual(contents(loaded), [[3]])
    },
  ],
  [
    'of two compactions at once, from one base, exactly one wins',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2])
      const results = await Promise.all([
        engine.compact('a', null, at(cursors, 1), snapshotOf(1, 2)),
        engine.compact('a', null, at(cursors, 0), snapshotOf(1)),
      ])
      assert.deepEqual(results.sort(), [false, true])
    },
  ],
  [
    'a snapshot can neither go back nor beyond the head',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2])
      await engine.compact('a', null, at(cursors, 1), snapshotOf(1, 2))
      assert.equal(await engine.compact('a', at(cursors, 1), at(cursors, 0), snapshotOf(1)), false)
      const beyond = at(cursors, 1).replace(/2$/, '3')
      assert.equal(await engine.compact('a', at(cursors, 1), beyond, snapshotOf(9)), false)
      assert.deepEqual([...((await engine.load('a')).snapshot?.state ?? [])], [1, 2])
    },
  ],
  [
    'the previous generation stays readable until the next compaction; then its tail is trimmed',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      await engine.compact('a', null, at(cursors, 0), snapshotOf(1))
      await engine.compact('a', at(cursors, 0), at(cursors, 1), snapshotOf(1, 2))
      const previous = await engine.tail('a', at(cursors, 0))
      assert.ok(previous !== 'trimmed')
      assert.equal(previous.length, 2)
      await engine.compact('a', at(cursors, 1), at(cursors, 2), snapshotOf(1, 2, 3))
      assert.equal(await engine.tail('a', at(cursors, 0)), 'trimmed')
      assert.notEqual(await engine.tail('a', at(cursors, 1)), 'trimmed')
    },
  ],
  [
    'every load during appends and compactions is one instant: snapshot and tail without a gap or an overlap',
    async (engine) => {
      const written = (async () => {
        let base: Cursor | null = null
        for (let index = 0; index < 60; index++) {
          const cursor = await engine.append('a', bytes(index))
          if (index % 10 !== 9) continue
          const state = Array.from({ length: index + 1 }, (_, value) => value)
          assert.equal(await engine.compact('a', base, cursor, snapshotOf(...state)), true)
          base = cursor
        }
      })()
      let running = true
      const stop = (): void => {
        running = false
      }
      written.then(stop, stop)
      while (running) {
        const loaded = await engine.load('a')
        const values = [...(loaded.snapshot?.state ?? []), ...contents(loaded).flat()]
        assert.deepEqual(
          values,
          values.map((_, index) => index),
        )
        assert.equal(loaded.damaged, false)
        await new Promise(setImmediate)
      }
      await written
    },
  ],
  [
    'names are opaque: prefixes of one another, Unicode, __proto__, slashes, 512 bytes',
    async (engine) => {
      const names = [
        'a',
        'a/b',
        'a/b/c',
        'aa',
        'ä',
        'a\u0308',
        '日本語',
        '👩‍👩‍👧',
        '\u{10ffff}',
        '__proto__',
        'constructor',
      ]
      names.push('toString', '.', '..', ' ', '%2F', 'n'.repeat(512), 'n'.repeat(511))
      for (const [index, name] of names.entries()) await engine.append(name, bytes(index))
      for (const [index, name] of names.entries()) {
        assert.deepEqual(contents(await engine.load(name)), [[index]], JSON.stringify(name))
      }
      assert.deepEqual([...(await engine.list({ limit: 100 }))].sort(), [...names].sort())
    },
  ],
  [
    'list is paged by prefix and by the last name of the page before, each name once',
    async (engine) => {
      const names = Array.from({ length: 25 }, (_, index) => `room/${String(index).padStart(2, '0')}`)
      for (const name of [...names, 'other', 'roo', 'room', 'rooms', '日本']) await engine.append(name, bytes(1))
      const pages: string[] = []
      let after: string | undefined
      for (;;) {
        const page = await engine.list({ prefix: 'room/', limit: 10, ...(after === undefined ? {} : { after }) })
        assert.ok(page.length <= 10)
        pages.push(...page)
        after = page.at(-1)
        if (page.length < 10) break
      }
      assert.deepEqual([...pages].sort(), names)
      assert.equal(new Set(pages).size, names.length)
      const everything = await engine.list({ limit: 1000 })
      assert.equal(everything.length, 30)
      assert.deepEqual(await engine.list({ limit: 1000, after: at(everything, 9) }), everything.slice(10))
      assert.deepEqual(await engine.list({ limit: 1000, prefix: 'room/', after: 'zzz' }), [])
      assert.deepEqual(await engine.list({ limit: 0 }), [])
    },
  ],
  [
    'a removed document is as if never written, and can be written again',
    async (engine) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      await engine.append('b', bytes(9))
      await engine.compact('a', null, at(cursors, 1), snapshotOf(1, 2))
      await engine.remove('a')
      assert.deepEqual(await engine.load('a'), { base: null, snapshot: null, tail: [], head: null, damaged: false })
      assert.deepEqual(await engine.list({ limit: 10 }), ['b'])
      await engine.append('a', bytes(4))
      assert.deepEqual(contents(await engine.load('a')), [[4]])
      assert.deepEqual(await engine.list({ limit: 10 }), ['a', 'b'])
    },
  ],
  [
    'removing a document that does not exist is no error',
    async (engine) => {
      await engine.remove('nothing')
      assert.deepEqual(await engine.list({ limit: 10 }), [])
    },
  ],
  [
    'removal among concurrent appends leaves a document without holes',
    async (engine) => {
      await appendAll(engine, 'a', [1, 2, 3])
      const racing = [1, 2, 3, 4].map((value) => engine.append('a', bytes(value)))
      const removal = engine.remove('a')
      await Promise.all([...racing, removal, engine.append('a', bytes(5))])
      await engine.append('a', bytes(6))
      const loaded = await engine.load('a')
      assert.equal(loaded.damaged, false)
      assert.deepEqual(contents(loaded).at(-1), [6])
    },
  ],
  [
    'everything acknowledged is there after reopening, and sequences go on',
    async (engine, test) => {
      const cursors = await appendAll(engine, 'a', [1, 2, 3])
      await engine.compact('a', null, at(cursors, 1), snapshotOf(1, 2))
      await engine.append('b', bytes(7))
      const reopened = await test.reopen()
      const loaded = await reopened.load('a')
      assert.equal(loaded.base, at(cursors, 1), 'cursors survive')
      assert.deepEqual([...(loaded.snapshot?.state ?? [])], [1, 2])
      assert.deepEqual(contents(loaded), [[3]])
      assert.equal(sequence(await reopened.append('a', bytes(4))), 4)
      assert.equal(sequence(await reopened.append('b', bytes(8))), 2)
      assert.deepEqual(await reopened.list({ limit: 10 }), ['a', 'b'])
      assert.equal(await reopened.compact('a', at(cursors, 1), at(cursors, 2), snapshotOf(1, 2, 3)), true)
    },
  ],
  [
    'updates and snapshots of several megabytes, of one byte and of none',
    async (engine, test) => {
      const big = new Uint8Array(6 * 1024 * 1024).map((_, index) => index % 251)
      const cursor = await engine.append('big', big)
      await engine.append('big', new Uint8Array(0))
      await engine.compact('big', null, cursor, { state: big, stateVector: new Uint8Array(0) })
      await engine.append('big', big)
      const loaded = await (await test.reopen()).load('big')
      assert.deepEqual(Buffer.compare(loaded.snapshot?.state ?? bytes(), big), 0)
      assert.equal(loaded.snapshot?.stateVector.length, 0)
      assert.deepEqual(
        loaded.tail.map((entry) => entry.update.length),
        [0, big.length],
      )
    },
  ],
  [
    'two thousand documents at once',
    async (engine) => {
      const names = Array.from({ length: 2000 }, (_, index) => `document-${String(index).padStart(4, '0')}`)
      await Promise.all(names.map((name, index) => engine.append(name, bytes(index & 255, index >> 8))))
      assert.deepEqual(await engine.list({ limit: 5000 }), names)
      for (const index of [0, 999, 1999]) {
        assert.deepEqual(contents(await engine.load(at(names, index))), [[index & 255, index >> 8]])
      }
    },
  ],
  [
    'what is returned belongs to the caller: changing it changes nothing stored',
    async (engine) => {
      const update = bytes(1, 2, 3)
      await engine.append('a', update)
      update.fill(9)
      assert.deepEqual(contents(await engine.load('a')), [[1, 2, 3]])
    },
  ],
  [
    'close lets what was called before it finish, is idempotent, and everything after it rejects STORAGE_CLOSED',
    async (engine) => {
      const pending = [1, 2, 3].map((value) => engine.append('a', bytes(value)))
      await Promise.all([engine.close(), engine.close()])
      await engine.close()
      assert.equal((await Promise.allSettled(pending)).filter(({ status }) => status === 'fulfilled').length, 3)
      const cursor = await firstOf(pending)
      await assert.rejects(engine.load('a'), isClosedError)
      await assert.rejects(engine.tail('a', cursor), isClosedError)
      await assert.rejects(engine.append('a', bytes(1)), isClosedError)
      await assert.rejects(engine.compact('a', null, cursor, snapshotOf(1)), isClosedError)
      await assert.rejects(engine.remove('a'), isClosedError)
      await assert.rejects(engine.list({ limit: 1 }), isClosedError)
    },
  ],
  [
    'a working engine is healthy',
    async (engine) => {
      await engine.append('a', bytes(1))
      assert.deepEqual(engine.health(), { state: 'ok' })
    },
  ],
]

function firstOf(pending: readonly Promise<Cursor>[]): Promise<Cursor> {
  const [first] = pending
  assert.ok(first !== undefined)
  return first
}
