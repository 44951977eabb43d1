import assert from 'node:assert/strict'
import type { Cursor } from '../engine/engine.ts'
import { appendAll, at, bytes, contents, type NamedCase, sequence, snapshotOf } from './engineCase.ts'

/** Appending, loading, following, compacting. */
export const logCases: readonly NamedCase[] = [
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
        tail.map((entry) => Array.from(entry.update)),
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
      assert.deepEqual(
        results.map(Number).sort((left, right) => left - right),
        [0, 1],
      )
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
      const writer = { running: true }
      const stop = (): void => {
        writer.running = false
      }
      written.then(stop, stop)
      while (writer.running) {
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
]
