import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { MalformedUpdateError } from '../../shared/errors.ts'
import { containsDeletes, mergeDeletes, readDeleteSet } from '../../shared/update/deleteSet.ts'
import type { DeleteSet } from '../../shared/update/deleteSet.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { updateCorpus } from '../fuzz/updateCorpus.ts'

const deleting = (...deletes: number[]): UpdateShape => ({ runs: [], needs: null, deletes, deleteSetOffset: 0 })

describe('a delete set', () => {
  it.each(updateCorpus())('of "$name" is what Yjs reads, and contains itself', ({ update }) => {
    const shape = walkUpdate(update)
    const known = readDeleteSet(update, shape.deleteSetOffset)
    const byYjs = [...Y.decodeUpdate(update).ds.clients].map(([client, items]) => [
      client,
      items.flatMap(({ clock, len }) => [clock, clock + len]),
    ])
    expect([...known]).toEqual(byYjs)
    expect(containsDeletes(known, shape)).toBe(true)
  })

  it('contains a range only if it is deleted from end to end', () => {
    const known: DeleteSet = new Map([[1, [2, 5, 8, 9]]])
    for (const [clock, length] of [
      [2, 3],
      [3, 1],
      [4, 1],
      [8, 1],
    ] as const) {
      expect(containsDeletes(known, deleting(1, clock, length)), `${clock}+${length}`).toBe(true)
    }
    for (const [clock, length] of [
      [0, 1],
      [1, 2],
      [2, 4],
      [5, 1],
      [4, 5],
      [9, 1],
    ] as const) {
      expect(containsDeletes(known, deleting(1, clock, length)), `${clock}+${length}`).toBe(false)
    }
    expect(containsDeletes(known, deleting(2, 2, 1))).toBe(false)
    expect(containsDeletes(known, deleting(1, 2, 1, 2, 2, 1))).toBe(false)
    expect(containsDeletes(known, deleting())).toBe(true)
  })

  it('takes in the deletes of later updates, whatever overlaps', () => {
    const update = fc.array(fc.tuple(fc.nat(2), fc.nat(40), fc.integer({ min: 1, max: 8 })), { maxLength: 8 })
    const property = fc.property(fc.array(update, { maxLength: 6 }), (updates) => {
      const known: DeleteSet = new Map()
      const clocks = new Set<string>()
      for (const ranges of updates) {
        const sorted = ranges.sort((a, b) => b[0] - a[0] || a[1] - b[1])
        mergeDeletes(known, deleting(...sorted.flat()))
        for (const [client, clock, length] of sorted) {
          for (let i = clock; i < clock + length; i++) clocks.add(`${client} ${i}`)
        }
      }
      for (let client = 0; client < 3; client++) {
        const ranges = known.get(client) ?? []
        expect(ranges).toEqual([...new Set(ranges)].sort((a, b) => a - b))
        for (let clock = 0; clock < 50; clock++) {
          expect(containsDeletes(known, deleting(client, clock, 1))).toBe(clocks.has(`${client} ${clock}`))
        }
      }
    })
    fc.assert(property, { numRuns: 200 })
  })

  it('of a snapshot plus its tail contains what the live document would send', () => {
    const doc = new Y.Doc()
    const text = doc.getText('text')
    text.insert(0, 'a long enough line of text')
    text.delete(3, 4)
    const snapshot = Y.encodeStateAsUpdate(doc)
    const known = readDeleteSet(snapshot, walkUpdate(snapshot).deleteSetOffset)
    doc.on('update', (update: Uint8Array) => {
      expect(containsDeletes(known, walkUpdate(update))).toBe(false)
      mergeDeletes(known, walkUpdate(update))
    })
    text.delete(0, 5)
    text.delete(6, 2)
    expect(containsDeletes(known, walkUpdate(Y.encodeStateAsUpdate(doc)))).toBe(true)
  })

  it('is refused when truncated or followed by something', () => {
    const bytes = Uint8Array.of(1, 1, 1, 0, 5)
    expect(readDeleteSet(bytes, 0)).toEqual(new Map([[1, [0, 5]]]))
    expect(() => readDeleteSet(bytes.subarray(0, 4), 0)).toThrowError(MalformedUpdateError)
    expect(() => readDeleteSet(Uint8Array.of(...bytes, 0), 0)).toThrowError(MalformedUpdateError)
  })
})
