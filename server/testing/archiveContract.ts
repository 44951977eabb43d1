import assert from 'node:assert/strict'
import { StorageError } from '../../shared/errors.ts'
import type { Archive, ArchiveReference } from '../engine/archive/archive.ts'
import type { EngineCase } from './engineCase.ts'
import { bytes, snapshotOf } from './engineCase.ts'

/** An archive under test, empty at the start of each case. */
export interface ArchiveUnderTest {
  readonly archive: Archive
  /** Closes the archive and opens the same storage again. An archive that keeps nothing returns the one it has. */
  reopen(): Promise<Archive>
  /** Another archive on the same storage, as another node has one; closed by `cleanup`. */
  peer(): Promise<Archive>
  /** Changes one byte of what is stored of this part, behind the archive's back. */
  damage(document: string, reference: ArchiveReference): Promise<void>
  /** Closes what is open and removes the storage. */
  cleanup(): Promise<void>
}

type CaseBody = (archive: Archive, test: ArchiveUnderTest) => Promise<void>
type NamedCase = readonly [title: string, body: CaseBody]

const unknownReferences = [
  '',
  '0'.repeat(32),
  '../../etc/passwd',
  "'; DROP TABLE a; --",
  'a b',
  '\0',
  '日本',
  'x'.repeat(10_000),
]

async function content(archive: Archive, document: string): Promise<number[][]> {
  const references = await archive.list(document)
  const parts = await Promise.all(references.map((reference) => archive.get(document, reference)))
  return parts.map(({ state }) => Array.from(state))
}

function isCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StorageError && error.code === code
}

const isDamaged = isCode('ARCHIVE_DAMAGED')
const isClosed = isCode('STORAGE_CLOSED')

const partCases: readonly NamedCase[] = [
  [
    'a part comes back byte for byte, from another archive on the same storage as well',
    async (archive, test) => {
      const part = { state: bytes(...Array(256).keys()), stateVector: bytes(0, 255, 0) }
      const reference = await archive.put('a', part)
      const readers = [() => archive, () => test.peer(), () => test.reopen()]
      for (const open of readers) {
        const reader = await open()
        const { state, stateVector } = await reader.get('a', reference)
        assert.deepEqual([...state], [...part.state])
        assert.deepEqual([...stateVector], [...part.stateVector])
        assert.deepEqual(await reader.list('a'), [reference])
      }
    },
  ],
  [
    'empty and large parts',
    async (archive) => {
      const large = new Uint8Array(20 * 1024 * 1024 + 1).map((_, index) => (index * 31) % 251)
      const empty = await archive.put('a', { state: bytes(), stateVector: bytes() })
      const full = await archive.put('a', { state: large, stateVector: large.subarray(0, 70_000) })
      assert.equal((await archive.get('a', empty)).state.length, 0)
      assert.equal((await archive.get('a', empty)).stateVector.length, 0)
      const { state, stateVector } = await archive.get('a', full)
      assert.equal(Buffer.compare(state, large), 0)
      assert.equal(Buffer.compare(stateVector, large.subarray(0, 70_000)), 0)
    },
  ],
  [
    'the parts of a document are listed oldest first',
    async (archive) => {
      const references: ArchiveReference[] = []
      for (let value = 0; value < 12; value++) references.push(await archive.put('a', snapshotOf(value)))
      assert.deepEqual(await archive.list('a'), references)
    },
  ],
  [
    'references are short, printable, and each is unique, also for equal content',
    async (archive, test) => {
      const peer = await test.peer()
      const writers = [archive, peer, archive, peer, archive]
      const references = await Promise.all(writers.map((writer) => writer.put('a', snapshotOf(1))))
      assert.equal(new Set(references).size, writers.length)
      assert.deepEqual([...(await archive.list('a'))].sort(), [...references].sort())
      for (const reference of references) assert.match(reference, /^[!-~]{1,64}$/)
    },
  ],
  [
    'a document of which nothing was kept has no parts',
    async (archive) => {
      await archive.put('ab', snapshotOf(1))
      assert.deepEqual(await archive.list('a'), [])
      assert.deepEqual(await archive.list('abc'), [])
    },
  ],
  [
    'what is not there is an error, whatever the reference, and never an empty part',
    async (archive) => {
      await archive.put('a', snapshotOf(1))
      for (const reference of unknownReferences) await assert.rejects(archive.get('a', reference), isDamaged, reference)
    },
  ],
  [
    'a part of one document is none of another',
    async (archive) => {
      const reference = await archive.put('a', snapshotOf(1))
      await archive.put('b', snapshotOf(2))
      await assert.rejects(archive.get('b', reference), isDamaged)
      await archive.drop('b', [reference])
      assert.deepEqual(await content(archive, 'a'), [[1]])
    },
  ],
  [
    'a damaged part is an error; the others are served',
    async (archive, test) => {
      const first = await archive.put('a', snapshotOf(1, 2, 3))
      const second = await archive.put('a', snapshotOf(4, 5, 6))
      await test.damage('a', first)
      await assert.rejects(archive.get('a', first), isDamaged)
      assert.deepEqual([...(await archive.get('a', second)).state], [4, 5, 6])
      assert.deepEqual(await archive.list('a'), [first, second], 'what is damaged is not forgotten')
    },
  ],
  [
    'the bytes given to put may be reused once it has resolved, and those of get belong to the caller',
    async (archive) => {
      const part = snapshotOf(1, 2, 3)
      const reference = await archive.put('a', part)
      part.state.fill(9)
      const read = await archive.get('a', reference)
      read.state.fill(8)
      assert.deepEqual(await content(archive, 'a'), [[1, 2, 3]])
    },
  ],
]

const dropCases: readonly NamedCase[] = [
  [
    'drop removes the named parts and no other, for every archive on the storage',
    async (archive, test) => {
      const [first, second] = [await archive.put('a', snapshotOf(1)), await archive.put('a', snapshotOf(2))]
      const third = await (await test.peer()).put('a', snapshotOf(3))
      await archive.drop('a', [first, third])
      assert.deepEqual(await archive.list('a'), [second])
      await assert.rejects(archive.get('a', first), isDamaged)
      assert.deepEqual(await (await test.reopen()).list('a'), [second])
    },
  ],
  [
    'parts kept while others are dropped survive',
    async (archive, test) => {
      const peer = await test.peer()
      const old = await Promise.all([1, 2, 3, 4].map((value) => archive.put('a', snapshotOf(value))))
      const [, ...kept] = await Promise.all([
        archive.drop('a', old),
        ...[5, 6, 7, 8].map((value) => peer.put('a', snapshotOf(value))),
      ])
      assert.deepEqual([...(await archive.list('a'))].sort(), [...kept].sort())
    },
  ],
  [
    'dropping nothing, twice, and what never was is no error',
    async (archive) => {
      const reference = await archive.put('a', snapshotOf(1))
      await archive.drop('a', [])
      await archive.drop('a', unknownReferences)
      await archive.drop('never', [reference])
      assert.deepEqual(await archive.list('a'), [reference])
      await archive.drop('a', [reference, reference])
      await archive.drop('a', [reference])
      assert.deepEqual(await archive.list('a'), [])
    },
  ],
  [
    'a document whose parts are all gone has no name, and can come back',
    async (archive) => {
      const reference = await archive.put('a', snapshotOf(1))
      await archive.put('b', snapshotOf(1))
      await archive.drop('a', [reference])
      assert.deepEqual(await archive.names({ limit: 10 }), ['b'])
      await archive.put('a', snapshotOf(2))
      assert.deepEqual(await archive.names({ limit: 10 }), ['a', 'b'])
      assert.deepEqual(await content(archive, 'a'), [[2]])
    },
  ],
]

const awkwardNames = [
  'a a/b a/b/c aa A ä a\u0308 日本語 👩‍👩‍👧 \u{ffff} \u{10ffff} __proto__ constructor toString'.split(' '),
  ['.', '..', ' ', '%', '_', '%2F', '\\', "'", '"', '*', '?a=b#c', '+', '&amp;', 'a//b', '/a', 'a/', '~'],
  ['n'.repeat(512), 'n'.repeat(511), '日'.repeat(170)],
].flat()

const nameCases: readonly NamedCase[] = [
  [
    'names are exact: prefixes of one another, Unicode, __proto__, slashes, 512 bytes',
    async (archive) => {
      await Promise.all(awkwardNames.map((name, index) => archive.put(name, snapshotOf(index))))
      for (const [index, name] of awkwardNames.entries()) {
        assert.deepEqual(await content(archive, name), [[index]], JSON.stringify(name))
      }
      const sorted = [...awkwardNames].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
      assert.deepEqual(await archive.names({ limit: 100 }), sorted)
    },
  ],
  [
    'names are paged by prefix and by the last name of the page before, each once, in the order of their bytes',
    async (archive) => {
      const names = Array.from({ length: 25 }, (_, index) => `room/${String(index).padStart(2, '0')}`)
      const others = ['other', 'roo', 'room', 'room0', 'rooms', '日本']
      await Promise.all([...names, ...names, ...others].map((name) => archive.put(name, snapshotOf(1))))
      assert.deepEqual(await archive.names({ prefix: 'room/', limit: 10 }), names.slice(0, 10))
      assert.deepEqual(await archive.names({ prefix: 'room/', limit: 100, after: 'room/09' }), names.slice(10))
      assert.deepEqual(await archive.names({ prefix: 'room/', limit: 100, after: 'a' }), names)
      assert.deepEqual(await archive.names({ prefix: 'room/', limit: 100, after: 'zzz' }), [])
      assert.deepEqual(await archive.names({ limit: 100, after: 'room/24' }), ['room0', 'rooms', '日本'])
      assert.deepEqual(await archive.names({ prefix: '日', limit: 100 }), ['日本'])
      assert.deepEqual(await archive.names({ limit: 0 }), [])
    },
  ],
]

const operationCases: readonly NamedCase[] = [
  [
    'many documents at once',
    async (archive) => {
      const names = Array.from({ length: 150 }, (_, index) => `document-${String(index).padStart(3, '0')}`)
      await Promise.all(names.map((name, index) => archive.put(name, snapshotOf(index & 255, index >> 8))))
      const found = await Promise.all(names.map((name) => content(archive, name)))
      for (const [index, parts] of found.entries()) assert.deepEqual(parts, [[index & 255, index >> 8]])
    },
  ],
  [
    'a working archive is healthy',
    async (archive) => {
      await archive.put('a', snapshotOf(1))
      await assert.rejects(archive.get('a', 'unknown'), isDamaged)
      assert.deepEqual(archive.health(), { state: 'ok' })
    },
  ],
  [
    'close lets what was called before it finish, is idempotent, and everything after it rejects STORAGE_CLOSED',
    async (archive, test) => {
      const peer = await test.peer()
      const pending = Array.from({ length: 20 }, (_, index) => archive.put('a', snapshotOf(index)))
      await Promise.all([archive.close(), archive.close()])
      await archive.close()
      const references = await Promise.all(pending)
      assert.deepEqual([...(await peer.list('a'))].sort(), references.sort())
      await assert.rejects(archive.put('a', snapshotOf(1)), isClosed)
      await assert.rejects(archive.list('a'), isClosed)
      await assert.rejects(archive.get('a', references[0] ?? ''), isClosed)
      await assert.rejects(archive.drop('a', references), isClosed)
      await assert.rejects(archive.names({ limit: 1 }), isClosed)
    },
  ],
]

/**
 * What every archive must do, as cases for any test runner:
 *
 *     for (const { title, run } of archiveContract(make)) test(title, run)
 */
export function archiveContract(make: () => Promise<ArchiveUnderTest>): readonly EngineCase[] {
  return [...partCases, ...dropCases, ...nameCases, ...operationCases].map(([title, body]) => ({
    title,
    run: async () => {
      const test = await make()
      try {
        await body(test.archive, test)
      } finally {
        await test.cleanup()
      }
    },
  }))
}
