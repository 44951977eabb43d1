import { describe, expect, test } from 'vitest'
import type { Cursor, Sink } from '../../server/engine/engine.ts'
import type { Followed } from '../../server/engine/redis/documentReader.ts'
import { Follower } from '../../server/engine/redis/follower.ts'
import { KeySpace } from '../../server/engine/redis/keys.ts'
import type { Said } from '../../server/engine/redis/message.ts'

const cursor = (sequence: number, node = 'bb'): Cursor => `1.${node}.0-${String(sequence)}`
const said = (sequence: number, size = 1): Said => ({
  type: 'entry',
  cursor: cursor(sequence),
  previous: sequence === 1 ? null : cursor(sequence - 1),
  update: new Uint8Array(size),
})
const entries = (...sequences: number[]): Followed => ({
  entries: sequences.map((sequence) => ({ cursor: cursor(sequence), update: Uint8Array.of(sequence) })),
  more: false,
})

interface Watched {
  readonly follower: Follower
  readonly given: number[]
  /** How often it asked for its log to be read. */
  readonly wanted: { count: number }
  readonly read: (followed: Followed | 'lost' | Promise<Followed>) => Promise<unknown>
}

async function live(): Promise<Watched> {
  const [given, wanted]: [number[], { count: number }] = [[], { count: 0 }]
  const sink: Sink = {
    entry: (entry) => void given.push(Number(entry.cursor.split('-')[1])),
    message: () => undefined,
    stale: () => void given.push(-1),
    left: () => undefined,
  }
  const follower = new Follower({
    keys: new KeySpace('').of('a'),
    node: 'aa',
    after: null,
    sink,
    onVerified: () => undefined,
    wantRead: () => (wanted.count += 1),
    onLost: () => undefined,
    onEnd: () => undefined,
  })
  const read = (followed: Followed | 'lost' | Promise<Followed>): Promise<unknown> =>
    follower.read(async () => followed)
  follower.doubt()
  await read(entries())
  wanted.count = 0
  return { follower, given, wanted, read }
}

describe('a follower asks for its log at once', () => {
  test('when an entry does not connect', async () => {
    const { follower, given, wanted, read } = await live()
    follower.heard(said(1))
    follower.heard(said(3))
    expect(wanted.count).toBe(1)
    await read(entries(2, 3))
    expect(given).toEqual([1, 2, 3])
  })

  test('when a reading brought only a part', async () => {
    const { follower, given, wanted, read } = await live()
    follower.heard(said(9))
    await read({ ...entries(1, 2), more: true })
    expect(wanted.count).toBe(2)
    await read(entries(3))
    expect(given).toEqual([1, 2, 3])
  })

  test('when it is doubted while it reads: that reading may be older than the doubt', async () => {
    const { follower, wanted, read } = await live()
    follower.doubt()
    const reading = read(entries(1))
    follower.doubt()
    await reading
    expect(wanted.count).toBe(2)
  })

  test('when more is said during a reading than is kept', async () => {
    for (const [count, size] of [
      [70, 1],
      [3, 600_000],
    ] as const) {
      const { follower, wanted, read } = await live()
      follower.doubt()
      const reading = read(entries())
      for (let sequence = 1; sequence <= count; sequence++) follower.heard(said(sequence, size))
      await reading
      expect(wanted.count).toBe(2)
    }
  })

  test('when the answer to an append is of another epoch', async () => {
    const { follower, wanted } = await live()
    follower.heard(said(1))
    follower.appending('aa.1')
    follower.appended('2.aa.1-1', cursor(0))
    expect(wanted.count).toBe(1)
  })
})

describe('a follower does not ask', () => {
  test('for what is said during a reading and connects to it, or is in it', async () => {
    const { follower, given, wanted, read } = await live()
    follower.heard(said(9))
    const reading = read(entries(1, 2))
    for (const sequence of [1, 2, 3, 4]) follower.heard(said(sequence))
    await reading
    await Promise.resolve()
    expect(given).toEqual([1, 2, 3, 4])
    expect(wanted.count).toBe(1)
  })

  test('again, when it is read in the turn in which it asks', async () => {
    const readings = { count: 0 }
    const follower = new Follower({
      keys: new KeySpace('').of('a'),
      node: 'aa',
      after: null,
      sink: { entry: () => undefined, message: () => undefined, stale: () => undefined, left: () => undefined },
      onVerified: () => undefined,
      wantRead: (wanting) => {
        readings.count += 1
        if (readings.count < 10) void wanting.read(async () => entries())
      },
      onLost: () => undefined,
      onEnd: () => undefined,
    })
    follower.doubt()
    for (let round = 0; round < 50; round++) await Promise.resolve()
    expect(readings.count).toBe(1)
  })

  test('when answers to its own appends come before what others appended in between', async () => {
    const { follower, given, wanted } = await live()
    for (const append of ['aa.1', 'aa.2']) follower.appending(append)
    follower.appended('1.aa.1-2', cursor(1))
    follower.appended('1.aa.2-3', '1.aa.1-2')
    expect(follower.position).toBe(null)
    follower.heard(said(1))
    // Nobody else may have listened: then ours are not said again.
    follower.heard({ type: 'entry', cursor: cursor(4), previous: '1.aa.2-3', update: new Uint8Array(1) })
    await Promise.resolve()
    expect([follower.position, wanted.count, given]).toEqual([cursor(4), 0, [1, 4]])
  })

  test('when its own append is answered during a reading that does not contain it', async () => {
    const { follower, wanted, read } = await live()
    follower.doubt()
    follower.appending('aa.1')
    const reading = read(entries(1))
    follower.appended('1.aa.1-2', cursor(1))
    await reading
    await Promise.resolve()
    expect([follower.position, wanted.count]).toEqual(['1.aa.1-2', 1])
  })

  test('when its own append is answered before, or after, it is heard of', async () => {
    const { follower, given, wanted } = await live()
    const own = { cursor: '1.aa.1-1', previous: null }
    follower.appending('aa.1')
    follower.appended(own.cursor, own.previous)
    follower.heard({ type: 'entry', ...own, update: new Uint8Array(1) })
    const next = { cursor: '1.aa.2-2', previous: own.cursor }
    follower.appending('aa.2')
    follower.heard({ type: 'entry', ...next, update: new Uint8Array(1) })
    follower.appended(next.cursor, next.previous)
    await Promise.resolve()
    expect([follower.position, wanted.count, given]).toEqual([next.cursor, 0, []])
  })
})
