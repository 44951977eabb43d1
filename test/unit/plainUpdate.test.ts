import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { mergePlain } from '../../shared/update/plainUpdate.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { randomFrom } from '../bench/measure/numbers.ts'

interface Writer {
  readonly doc: Y.Doc
  readonly sent: Uint8Array[]
}

function writer(client: number): Writer {
  const doc = new Y.Doc()
  doc.clientID = client
  const sent: Uint8Array[] = []
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin !== 'remote') sent.push(update)
  })
  return { doc, sent }
}

/** What one keystroke of this kind sends. */
function sentBy(edit: (doc: Y.Doc) => void): Uint8Array[] {
  const { doc, sent } = writer(7)
  doc.getText('t').insert(0, 'ab')
  sent.length = 0
  edit(doc)
  return sent
}

describe('mergePlain', () => {
  it('D2: puts what several people typed together as Yjs would apply it one by one', () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = randomFrom(seed)
      const writers = [writer(5), writer(300), writer(2 ** 40 + seed)]
      const shared = new Y.Doc()
      for (let round = 0; round < 10; round += 1) {
        const batch: Uint8Array[] = []
        for (let key = 0; key < 8; key += 1) {
          const one = writers[Math.floor(random() * writers.length)]
          const text = one?.doc.getText('t')
          text?.insert(Math.floor(random() * (text.length + 1)), random() < 0.2 ? 'é' : 'x')
          batch.push(...(one?.sent.splice(0) ?? []))
        }
        const merged = mergePlain(batch)
        expect(merged, `seed ${seed}`).not.toBeNull()
        const update = merged ?? new Uint8Array()
        walkUpdate(update)
        Y.applyUpdate(shared, update)
        expect(shared.store.pendingStructs).toBeNull()
        for (const { doc } of writers) Y.applyUpdate(doc, Y.encodeStateAsUpdate(shared), 'remote')
        const direct = new Y.Doc()
        for (const update of [Y.encodeStateAsUpdate(shared), ...batch]) Y.applyUpdate(direct, update)
        expect(shared.getText('t').toJSON(), `seed ${seed}`).toBe(direct.getText('t').toJSON())
      }
    }
  })

  it('D2: leaves the bytes of a single keystroke as they are', () => {
    const [update = new Uint8Array()] = sentBy((doc) => doc.getText('t').insert(1, 'x'))
    expect(mergePlain([update])).toEqual(update)
    expect(mergePlain([update])).not.toBe(update)
  })

  const more: Record<string, (doc: Y.Doc) => void> = {
    'a deletion': (doc) => doc.getText('t').delete(0, 1),
    'several characters in one item': (doc) => doc.getText('t').insert(1, 'xy'),
    'a character of two UTF-16 units': (doc) => doc.getText('t').insert(1, '😀'),
    'a format': (doc) => doc.getText('t').format(0, 1, { bold: true }),
    'an embed': (doc) => doc.getText('t').insertEmbed(0, { image: 'x' }),
    'a key of a map': (doc) => doc.getMap('m').set('k', 'v'),
    'an element of an array': (doc) => doc.getArray('a').push(['v']),
    'a nested type': (doc) => doc.getArray('a').push([new Y.Text()]),
    nothing: () => {},
  }
  for (const [what, edit] of Object.entries(more)) {
    it(`D9: leaves ${what} to Yjs`, () => {
      const updates = what === 'nothing' ? [new Uint8Array([0, 0])] : sentBy(edit)
      expect(updates.length).toBeGreaterThan(0)
      expect(mergePlain(updates)).toBeNull()
    })
  }

  it('D9: leaves updates of one client that do not follow each other to Yjs', () => {
    const { doc, sent } = writer(7)
    for (const key of ['a', 'b', 'c']) doc.getText('t').insert(0, key)
    expect(mergePlain([sent[0] ?? new Uint8Array(), sent[2] ?? new Uint8Array()])).toBeNull()
  })
})
