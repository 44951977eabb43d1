import assert from 'node:assert/strict'
import { StorageError } from '../../shared/errors.ts'
import type { Cursor } from '../engine/engine.ts'
import { appendAll, at, bytes, contents, type NamedCase, sequence, snapshotOf } from './engineCase.ts'

const isClosedError = (error: unknown): boolean => error instanceof StorageError && error.code === 'STORAGE_CLOSED'

/** Names, listing, removal, reopening, closing. */
export const documentCases: readonly NamedCase[] = [
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
    'the bytes given to append may be reused once it has resolved',
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
