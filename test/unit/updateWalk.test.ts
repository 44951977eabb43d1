import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { LimitExceededError, MalformedUpdateError } from '../../shared/errors.ts'
import { defaultLimits } from '../../shared/limits.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { updateCorpus } from '../fuzz/updateCorpus.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

/** One item with this content by client 1 at clock 0 in the root "a", nothing deleted. */
const item = (content: string): Uint8Array => bytes(`01 01 01 00 ${content} 00`)
const inRoot = (ref: number, content: string): Uint8Array =>
  item(`${ref.toString(16).padStart(2, '0')} 01 01 61 ${content}`)

const text = (content: string): string => {
  const utf8 = Buffer.from(content)
  return Buffer.concat([varUint(utf8.length), utf8]).toString('hex')
}

function varUint(value: number): Buffer {
  const digits: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) digits.push(0x80 | (rest % 0x80))
  return Buffer.from([...digits, rest])
}

const refuse = (update: Uint8Array, reason: RegExp): void => {
  expect(() => walkUpdate(update)).toThrowError(MalformedUpdateError)
  expect(() => walkUpdate(update)).toThrowError(reason)
}

/** The same shape, found by Yjs. */
function shapeByYjs(update: Uint8Array) {
  const { structs, ds } = Y.decodeUpdate(update)
  const runs: number[] = []
  const needs = new Map<number, number>()
  let open = false
  for (const struct of structs) {
    const { client, clock } = struct.id
    const last = runs.length - 1
    if (struct instanceof Y.Skip) {
      open = false
      continue
    }
    if (open && runs[last - 2] === client && runs[last] === clock) runs[last] = clock + struct.length
    else runs.push(client, clock, clock + struct.length)
    open = true
    if (!(struct instanceof Y.Item)) continue
    for (const id of [struct.origin, struct.rightOrigin, struct.parent]) {
      if (!(id instanceof Y.ID) || id.client === client) continue
      needs.set(id.client, Math.max(needs.get(id.client) ?? -1, id.clock))
    }
  }
  const deletes = [...ds.clients].flatMap(([client, items]) => items.flatMap(({ clock, len }) => [client, clock, len]))
  return { runs, needs: needs.size === 0 ? null : needs, deletes }
}

/** The shape without `keyed` and `structs`, which have tests of their own. */
function structsOf(update: Uint8Array) {
  const { keyed: _keyed, structs: _structs, ...shape } = walkUpdate(update)
  return shape
}

describe('walkUpdate on what Yjs writes', () => {
  const corpus = updateCorpus()

  it.each(corpus)('finds in "$name" what Yjs finds', ({ update }) => {
    const { deleteSetOffset, keyed = false, structs = 1, ...shape } = walkUpdate(update)
    const hasKey = Y.decodeUpdate(update).structs.some(
      (struct) => struct instanceof Y.Item && struct.parentSub !== null,
    )
    expect(keyed || !hasKey).toBe(true)
    expect(structs).toBe(Math.max(1, Y.decodeUpdate(update).structs.length))
    expect(shape).toEqual(shapeByYjs(update))
    expect(structsOf(Uint8Array.of(0, ...update.subarray(deleteSetOffset))).deletes).toEqual(shape.deletes)
  })

  it('covers every kind of struct and content with that corpus', () => {
    const kinds = new Set<string>()
    for (const { update } of corpus) {
      for (const struct of Y.decodeUpdate(update).structs) {
        kinds.add(
          struct instanceof Y.Item
            ? `content ${struct.content.getRef()}`
            : (struct.constructor as { name: string }).name,
        )
        if (struct instanceof Y.Item && struct.content instanceof Y.ContentType) {
          kinds.add(struct.content.type.constructor.name)
        }
      }
    }
    const contents = Array.from({ length: 9 }, (_, index) => `content ${index + 1}`)
    const types = ['YArray', 'YMap', 'YText', 'YXmlElement', 'YXmlFragment', 'YXmlHook', 'YXmlText']
    expect([...kinds].map((kind) => kind.replace('_', '')).sort()).toEqual([...contents, 'GC', 'Skip', ...types].sort())
  })

  it('finds every prefix of a real update truncated', () => {
    for (const { update } of corpus) {
      for (let end = 0; end < update.length; end++) {
        expect(() => walkUpdate(update.subarray(0, end))).toThrowError(MalformedUpdateError)
      }
    }
  })

  it('reads an update that is a view into a larger buffer', () => {
    const update = bytes('01 01 01 00 04 01 01 61 01 62 00')
    const view = Uint8Array.of(9, 9, ...update, 9).subarray(2, 2 + update.length)
    expect(walkUpdate(view)).toEqual(walkUpdate(update))
  })

  it('counts strings in UTF-16 units', () => {
    expect(structsOf(inRoot(4, text('aü€😀')))).toMatchObject({ runs: [1, 0, 5] })
  })

  it('accepts client ids and clocks up to 2^53 - 1', () => {
    const most = varUint(2 ** 53 - 1).toString('hex')
    const beforeMost = varUint(2 ** 53 - 2).toString('hex')
    expect(structsOf(bytes(`01 01 ${most} ${beforeMost} 00 01 00`)).runs).toEqual([
      2 ** 53 - 1,
      2 ** 53 - 2,
      2 ** 53 - 1,
    ])
  })
})

describe('walkUpdate on what would hang, over-allocate or half-apply', () => {
  it('C17: refuses the struct-count bomb', () => {
    refuse(bytes('01 ff ff ff 0f 07 00'), /announces 33554431 structs/)
  })

  it('C17: refuses counts larger than the bytes that follow, wherever a count stands', () => {
    refuse(bytes('ff ff ff 0f 00'), /announces/)
    refuse(bytes('00 ff ff ff 0f 00'), /announces/)
    refuse(bytes('00 01 05 ff ff ff 0f 00 01'), /announces/)
    refuse(inRoot(8, 'ff ff ff 0f'), /announces/)
    refuse(inRoot(8, '01 75 ff ff ff 0f'), /announces/)
    refuse(inRoot(8, '01 76 ff ff ff 0f'), /announces/)
    refuse(inRoot(2, 'ff ff ff 0f'), /announces/)
    refuse(inRoot(3, 'ff ff ff 0f'), /announces/)
    refuse(inRoot(4, 'ff ff ff 0f'), /announces/)
  })

  it('C19: refuses garbage', () => {
    refuse(new Uint8Array(0), /ends too early/)
    refuse(
      Uint8Array.from({ length: 64 }, (_, index) => (index * 151 + 89) & 255),
      /./,
    )
    refuse(Uint8Array.from(Buffer.from('GET / HTTP/1.1\r\n\r\n')), /./)
  })

  it('C20: refuses valid structs with a broken delete set', () => {
    const update = item('04 01 01 61 01 62')
    const structs = update.subarray(0, -1)
    expect(structsOf(update).deleteSetOffset).toBe(structs.length)
    refuse(structs, /ends too early/)
    refuse(Uint8Array.of(...structs, 1), /./)
    refuse(Uint8Array.of(...structs, 1, 1, 2, 0, 1), /./)
    refuse(Uint8Array.of(...structs, 1, 1, 1, 0, 0x80), /ends too early/)
    refuse(Uint8Array.of(...update, 0), /bytes after its end/)
  })

  it('C21: refuses V2 updates given as V1, and the V2 run-length bomb', () => {
    const doc = new Y.Doc()
    refuse(Y.encodeStateAsUpdateV2(doc), /bytes after its end/)
    doc.getText('text').insert(0, 'hello')
    doc.getText('text').delete(1, 2)
    refuse(Y.encodeStateAsUpdateV2(doc), /bytes after its end|announces/)
    refuse(bytes('00010000000001000100010200001602000001fdffffffff7f0000'), /./)
  })

  it('C27: refuses an update of more structs than maxStructsPerUpdate, in one block or in several', () => {
    const limits = { ...defaultLimits, maxStructsPerUpdate: 3 }
    expect(walkUpdate(bytes('01 03 05 00 00 01 00 01 00 01 00'), limits).runs).toEqual([5, 0, 3])
    for (const update of [
      '01 04 05 00 00 01 00 01 00 01 00 01 00',
      '02 02 06 00 00 01 00 01 02 05 00 00 01 00 01 00',
    ]) {
      expect(() => walkUpdate(bytes(update), limits)).toThrowError(LimitExceededError)
    }
  })

  it('C27: describes 100,000 collected structs by one run', () => {
    const update = Buffer.concat([bytes('01 a0 8d 06 05 00'), Buffer.alloc(200_000, bytes('00 01')), bytes('00')])
    expect(structsOf(update)).toEqual({ runs: [5, 0, 100_000], needs: null, deletes: [], deleteSetOffset: 200_006 })
  })

  it('C29: refuses 5,000 nested arrays, and stops exactly at the limit', () => {
    const nested = (depth: number) => inRoot(8, `01 ${'7501'.repeat(depth - 1)} 7500`)
    const objects = (depth: number) => inRoot(8, `01 ${'760100'.repeat(depth)} 7e`)
    refuse(nested(5000), /nested too deeply/)
    refuse(nested(65), /nested too deeply/)
    refuse(objects(65), /nested too deeply/)
    expect(structsOf(nested(64)).runs).toEqual([1, 0, 1])
    expect(structsOf(objects(64)).runs).toEqual([1, 0, 1])
    expect(() => walkUpdate(nested(4), { ...defaultLimits, maxValueDepth: 3 })).toThrowError(/nested too deeply/)
  })

  it('C29: refuses 5,000 nested arrays in JSON, and stops exactly at the limit', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
    for (const ref of [5, 6]) {
      const content = (depth: number) => (ref === 6 ? text('key') : '') + text(nested(depth))
      refuse(inRoot(ref, content(5000)), /nested too deeply/)
      refuse(inRoot(ref, content(65)), /nested too deeply/)
      expect(structsOf(inRoot(ref, content(64))).runs).toEqual([1, 0, 1])
    }
    refuse(inRoot(2, `01 ${text('{"a":'.repeat(65) + '1' + '}'.repeat(65))}`), /nested too deeply/)
  })
})

describe('walkUpdate on what Yjs would not survive whole', () => {
  it('refuses numbers beyond 2^53 - 1 and endless ones', () => {
    refuse(bytes('01 01 80 80 80 80 80 80 80 10 00 00 01 00'), /beyond 2\^53/)
    refuse(bytes('01 01 ff ff ff ff ff ff ff ff ff 01 00 00 01 00'), /more than 8 bytes/)
    refuse(Uint8Array.of(...new Uint8Array(200).fill(0x80), 0), /more than 8 bytes/)
    refuse(inRoot(8, '01 7d ff ff ff ff ff ff ff ff ff 01'), /more than 8 bytes/)
  })

  it('refuses clocks that run past 2^53 - 1', () => {
    const most = varUint(2 ** 53 - 1).toString('hex')
    refuse(bytes(`01 01 01 ${most} 00 01 00`), /clock beyond/)
    refuse(bytes(`01 02 01 00 0a ${most} 00 01 00`), /clock beyond/)
    refuse(bytes(`00 01 01 01 ${most} 01`), /clock beyond/)
  })

  it('refuses empty structs: Yjs could not find their neighbours again', () => {
    refuse(bytes('01 01 01 00 00 00 00'), /empty struct/)
    refuse(bytes('01 01 01 00 0a 00 00'), /empty struct/)
    refuse(inRoot(1, '00'), /empty struct/)
    refuse(inRoot(4, '00'), /empty struct/)
    refuse(inRoot(8, '00 7f').subarray(0, -1), /empty struct/)
    refuse(inRoot(2, '00'), /empty struct/)
  })

  it('refuses empty deletes: Yjs throws when it has to keep them for later', () => {
    refuse(bytes('00 01 01 01 00 00'), /empty delete/)
    expect(() => {
      Y.applyUpdate(new Y.Doc(), bytes('00 01 01 01 00 00'))
    }).toThrowError()
  })

  it('refuses deletes out of order, as they cost Yjs quadratic time', () => {
    refuse(bytes('00 01 01 02 05 01 00 01'), /out of order/)
    expect(structsOf(bytes('00 01 01 02 00 05 03 05')).deletes).toEqual([1, 0, 5, 1, 3, 5])
  })

  it('refuses a client listed twice: Yjs would forget its first structs', () => {
    const block = '01 01 00 04 01 01 61 01 62'
    refuse(bytes(`02 ${block} ${block} 00`), /lists a client twice$|lists a client twice /)
    refuse(bytes(`03 ${block} 01 02 00 00 01 ${block} 00`), /lists a client twice/)
    refuse(bytes('00 02 01 01 00 01 01 01 04 01'), /twice in its deletes/)
    expect(structsOf(bytes(`02 ${block} 01 02 00 00 01 00`)).runs).toEqual([1, 0, 1, 2, 0, 1])
  })

  it('accepts a client without structs, which Yjs ignores', () => {
    const update = bytes('02 00 05 07 01 02 00 00 01 00')
    expect(structsOf(update).runs).toEqual([2, 0, 1])
    const doc = new Y.Doc()
    Y.applyUpdate(doc, update)
    expect(Y.encodeStateVector(doc)).toEqual(Uint8Array.of(1, 2, 1))
  })

  it.each([
    ['its left neighbour', '84 01 03 01 62'],
    ['its right neighbour', '44 01 03 01 62'],
    ['its parent', '04 00 01 03 01 62'],
  ])('refuses a struct that is %s itself: Yjs throws half-way', (_, content) => {
    const before = '01 02 01 00 04 01 01 61 03 78 79 7a'
    const update = bytes(`${before} ${content} 00`)
    refuse(update, /refers to itself or to a later one/)
    refuse(bytes(`${before} ${content.replace('01 03', '01 04')} 00`), /refers to itself or to a later one/)
    expect(structsOf(bytes(`${before} ${content.replace('01 03', '01 02')} 00`))).toMatchObject({ needs: null })
    expect(() => {
      Y.applyUpdate(new Y.Doc(), update)
    }).toThrowError()
  })

  it('refuses unknown kinds of structs, contents, types and values', () => {
    for (let ref = 11; ref < 32; ref++) refuse(inRoot(ref, '01'), /unknown kind/)
    refuse(inRoot(7, '07'), /unknown kind/)
    for (const tag of ['00', '73', '80', 'ff']) refuse(inRoot(8, `01 ${tag}`), /unknown kind|nested/)
  })

  it('refuses collected structs and skips with the bits of an item', () => {
    for (const info of ['20', '40', '80', '2a', '4a', 'ca']) {
      refuse(bytes(`01 01 01 00 ${info} 01 00`), /neighbours on a struct/)
    }
  })

  it('refuses a parent that is neither a root nor an id', () => {
    refuse(item('04 02 01 61 01 62'), /neither a root nor an id/)
  })

  it.each(['80', 'c3 28', 'c0 80', 'e0 80 80', 'ed a0 80', 'f0 80 80 80', 'f4 90 80 80', 'f5 80 80 80', 'e2 82', 'ff'])(
    'refuses text that is not UTF-8: %s',
    (sequence) => {
      const length = varUint(bytes(sequence).length).toString('hex')
      refuse(inRoot(4, `${length} ${sequence}`), /not UTF-8/)
      refuse(item(`04 01 ${length} ${sequence} 01 61`), /not UTF-8/)
      refuse(item(`24 01 01 61 ${length} ${sequence} 01 61`), /not UTF-8/)
      refuse(inRoot(5, varUint(bytes(sequence).length + 2).toString('hex') + `22 ${sequence} 22`), /not UTF-8/)
    },
  )

  it('refuses embeds, formats and JSON that JSON.parse refuses', () => {
    for (const broken of ['', '{', '[1,]', 'undefined', 'nul', '"\u0000"', '01', '1 2', '\ufeff1']) {
      refuse(inRoot(5, text(broken)), /./)
      refuse(inRoot(6, text('key') + text(broken)), /./)
      if (broken !== 'undefined') refuse(inRoot(2, `01 ${text(broken)}`), /./)
    }
    expect(structsOf(inRoot(2, `02 ${text('undefined')} ${text('null')}`)).runs).toEqual([1, 0, 2])
  })

  it('refuses subdocument options that are no object or replace what Yjs calls itself', () => {
    expect(structsOf(inRoot(9, `${text('id')} 76 01 ${text('meta')} 76 01 ${text('guid')} 7e`)).runs).toEqual([1, 0, 1])
    refuse(inRoot(9, `${text('id')} 7e`), /without options/)
    refuse(inRoot(9, `${text('id')} 76 01 ${text('guid')} 7600`), /replaces its own identity/)
    refuse(inRoot(9, `${text('id')} 76 01 ${text('gcFilter')} 7e`), /replaces its own identity/)
  })
})

/** Whoever applies updates must be prepared for these: they are well-formed, and only the document's state tells. */
describe('walkUpdate accepts what only a document can judge', () => {
  it('two clients whose structs wait for each other: Yjs keeps them pending', () => {
    const update = bytes('02 01 02 00 84 01 00 01 61 01 01 00 84 02 00 01 62 00')
    expect(structsOf(update)).toMatchObject({
      runs: [2, 0, 1, 1, 0, 1],
      needs: new Map([
        [1, 0],
        [2, 0],
      ]),
    })
    const doc = new Y.Doc()
    Y.applyUpdate(doc, update)
    expect(doc.store.pendingStructs).not.toBeNull()
  })

  it('a struct whose first half the document has, collected: Yjs throws', () => {
    const [collected, overlapping] = [bytes('01 01 03 00 00 01 00'), bytes('01 01 03 00 04 01 01 61 02 62 63 00')]
    expect(structsOf(overlapping).runs).toEqual([3, 0, 2])
    const doc = new Y.Doc()
    Y.applyUpdate(doc, collected)
    expect(() => {
      Y.applyUpdate(doc, overlapping)
    }).toThrowError(TypeError)
  })

  it('several values under one key of a map, split by a neighbour: Yjs throws when the map is deleted', () => {
    const map = '27 01 01 61 01 6b 01'
    const values = '28 00 03 00 01 6b 03 7d 01 7f 78'
    const update = bytes(`01 03 03 00 ${map} ${values} 41 03 02 01 01 03 01 00 01`)
    expect(structsOf(update).runs).toEqual([3, 0, 5])
    expect(() => {
      Y.applyUpdate(new Y.Doc(), update)
    }).toThrowError('Unexpected case')
  })
})
