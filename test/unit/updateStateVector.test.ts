import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { LimitExceededError, MalformedFrameError } from '../../shared/errors.ts'
import { advance, bringsNothing, decodeStateVector, encodeStateVector } from '../../shared/update/stateVector.ts'
import type { UpdateShape } from '../../shared/update/updateShape.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { updateCorpus } from '../fuzz/updateCorpus.ts'

const shape = (parts: Partial<UpdateShape>): UpdateShape => ({
  runs: [],
  needs: null,
  deletes: [],
  deleteSetOffset: 0,
  ...parts,
})

/** Whether `advance` refuses, and leaves the vector alone. */
function isMissing(vector: Map<number, number>, parts: Partial<UpdateShape>): boolean {
  const before = [...vector]
  const result = advance(vector, shape(parts))
  if (result === 'missing') expect([...vector]).toEqual(before)
  return result === 'missing'
}

describe('advance', () => {
  it.each(updateCorpus())('moves to where Yjs is after "$name", or finds what Yjs misses', ({ update, base }) => {
    const doc = new Y.Doc()
    Y.applyUpdate(doc, base)
    const vector = decodeStateVector(Y.encodeStateVector(doc), 100)
    const result = advance(vector, walkUpdate(update))
    Y.applyUpdate(doc, update)
    const isPending = doc.store.pendingStructs !== null || doc.store.pendingDs !== null
    expect(result).toBe(isPending ? 'missing' : 'applied')
    if (!isPending) expect(encodeStateVector(vector)).toEqual(Y.encodeStateVector(doc))
    doc.destroy()
  })

  it('follows a document edit by edit', () => {
    const doc = new Y.Doc()
    const vector = new Map<number, number>()
    doc.on('update', (update: Uint8Array) => {
      expect(advance(vector, walkUpdate(update))).toBe('applied')
      expect(encodeStateVector(vector)).toEqual(Y.encodeStateVector(doc))
    })
    const text = doc.getText('text')
    for (let i = 0; i < 200; i++) {
      text.insert((i * 7) % (text.length + 1), `${i}😀`)
      if (i % 5 === 0) text.delete(0, 2)
      if (i % 40 === 0) doc.clientID = 2 ** 32 + i
    }
    expect(vector.size).toBeGreaterThan(3)
  })

  it('misses a run that starts beyond what is known, and takes one that overlaps it', () => {
    expect(isMissing(new Map(), { runs: [1, 1, 2] })).toBe(true)
    expect(isMissing(new Map([[1, 4]]), { runs: [1, 5, 6] })).toBe(true)
    const vector = new Map([[1, 4]])
    expect(isMissing(vector, { runs: [1, 2, 6] })).toBe(false)
    expect([...vector]).toEqual([[1, 6]])
    expect(isMissing(vector, { runs: [1, 0, 3] })).toBe(false)
    expect([...vector]).toEqual([[1, 6]])
  })

  it('bridges gaps of an update only by what is known', () => {
    expect(isMissing(new Map([[1, 2]]), { runs: [1, 0, 1, 1, 3, 5] })).toBe(true)
    const vector = new Map([[1, 3]])
    expect(isMissing(vector, { runs: [2, 0, 1, 1, 0, 1, 1, 3, 5] })).toBe(false)
    expect(vector).toEqual(
      new Map([
        [1, 5],
        [2, 1],
      ]),
    )
  })

  it('misses what is referred to unless it is known or comes along', () => {
    const needs = new Map([[2, 3]])
    expect(isMissing(new Map(), { runs: [1, 0, 1], needs })).toBe(true)
    expect(isMissing(new Map([[2, 3]]), { runs: [1, 0, 1], needs })).toBe(true)
    expect(isMissing(new Map([[2, 4]]), { runs: [1, 0, 1], needs })).toBe(false)
    expect(isMissing(new Map(), { runs: [2, 0, 4, 1, 0, 1], needs })).toBe(false)
    expect(isMissing(new Map(), { runs: [2, 0, 3, 1, 0, 1], needs })).toBe(true)
    expect(isMissing(new Map([[2, 9]]), { runs: [2, 0, 3, 1, 0, 1], needs })).toBe(false)
  })

  it('C25: misses what is deleted unless it is known or comes along', () => {
    expect(isMissing(new Map(), { deletes: [1, 0, 1] })).toBe(true)
    expect(isMissing(new Map([[1, 3]]), { deletes: [1, 0, 1, 1, 2, 2] })).toBe(true)
    expect(isMissing(new Map([[1, 4]]), { deletes: [1, 0, 1, 1, 2, 2] })).toBe(false)
    expect(isMissing(new Map(), { runs: [1, 0, 4], deletes: [1, 2, 2] })).toBe(false)
    expect(isMissing(new Map(), { runs: [2, 0, 4, 1, 0, 3], deletes: [1, 2, 2] })).toBe(true)
  })
})

describe('bringsNothing', () => {
  it('is true once every struct is known, whatever is deleted', () => {
    const update = shape({ runs: [1, 0, 4, 2, 3, 5], deletes: [1, 0, 1] })
    expect(bringsNothing(new Map([[1, 4]]), update)).toBe(false)
    expect(
      bringsNothing(
        new Map([
          [1, 4],
          [2, 4],
        ]),
        update,
      ),
    ).toBe(false)
    expect(
      bringsNothing(
        new Map([
          [1, 9],
          [2, 5],
        ]),
        update,
      ),
    ).toBe(true)
    expect(bringsNothing(new Map(), shape({}))).toBe(true)
  })
})

describe('state vectors as bytes', () => {
  it('are the same bytes as Yjs writes, and read back', () => {
    const vector = new Map([
      [5, 0],
      [2 ** 53 - 1, 2 ** 53 - 1],
      [1, 127],
      [300, 128],
      [2 ** 32, 2 ** 31],
    ])
    const bytes = encodeStateVector(vector)
    expect(bytes).toEqual(Y.encodeStateVector(vector))
    expect(decodeStateVector(bytes, 5)).toEqual(vector)
    expect(encodeStateVector(new Map())).toEqual(Uint8Array.of(0))
  })

  it('C28: are refused by count before anything is read', () => {
    const bomb = new Uint8Array(1_000_004).fill(1)
    bomb.set([0xa0, 0xc2, 0x1e])
    expect(() => decodeStateVector(bomb, 10_000)).toThrowError(LimitExceededError)
    expect(() => decodeStateVector(bomb, 10_000)).toThrowError(/500000 entries/)
    expect(() => decodeStateVector(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f), 10_000)).toThrowError(
      MalformedFrameError,
    )
  })

  it('C28: name the limit that was exceeded', () => {
    const bytes = encodeStateVector(
      new Map([
        [1, 1],
        [2, 2],
      ]),
    )
    expect(decodeStateVector(bytes, 2).size).toBe(2)
    expect(() => decodeStateVector(bytes, 1)).toThrowError(
      expect.objectContaining({ limit: 'maxForeignStateVectorEntries' }) as Error,
    )
  })

  it('are refused when truncated, overlong, ambiguous or beyond 2^53 - 1', () => {
    const bytes = encodeStateVector(
      new Map([
        [300, 128],
        [2, 2],
      ]),
    )
    for (let end = 0; end < bytes.length; end++) {
      expect(() => decodeStateVector(bytes.subarray(0, end), 9)).toThrowError(MalformedFrameError)
    }
    expect(() => decodeStateVector(Uint8Array.of(...bytes, 0), 9)).toThrowError(/bytes after its end/)
    expect(() => decodeStateVector(Uint8Array.of(2, 1, 1, 1, 2), 9)).toThrowError(/names a client twice/)
    const beyond = Uint8Array.of(1, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)
    expect(() => decodeStateVector(beyond, 9)).toThrowError(/beyond 2\^53/)
  })
})
