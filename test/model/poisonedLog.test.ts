import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { defaultLimits } from '../../shared/limits.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { Broadcast } from '../../server/document/broadcast.ts'
import { Content } from '../../server/document/content.ts'
import type { Dialect, Link } from '../../server/document/link.ts'
import type { Participant, Submission } from '../../server/document/participant.ts'

const EMPTY = { base: null, snapshot: null, tail: [], head: null, damaged: false }

function submission(update: Uint8Array, appends: boolean): Submission {
  return { from: {} as Participant, number: 1, update, structs: 1, appends, acknowledge: true, arrivedAt: 0 }
}

/** What one commit of this update alone gives: the record, or why there is none. */
function commit(content: Content, update: Uint8Array): Uint8Array | string | null {
  const admission = content.admit(walkUpdate(update))
  if (admission === 'missing' || admission === 'nothing') return admission
  const applied = content.apply([submission(update, admission === 'appends')])
  if (!applied.ok) return applied.culprit === 'none' ? 'judge again' : 'poison'
  if (applied.merged !== null) content.committed(applied.merged, new Broadcast(applied.merged), true)
  return applied.merged
}

/** The updates a client sends for these edits, one each. */
function sent(client: number, known: Uint8Array | null, ...edits: ((doc: Y.Doc) => void)[]): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = client
  if (known !== null) Y.applyUpdate(doc, known)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (const edit of edits) edit(doc)
  return updates
}

describe('what Yjs could not take from the log', () => {
  it('D2, P1: a character beside a value under a key goes through Yjs, which deletes the value', () => {
    const content = new Content(EMPTY, defaultLimits)
    const [value = new Uint8Array()] = sent(5, null, (doc) => doc.getMap('m').set('k', 'old'))
    expect(commit(content, value)).toBeInstanceOf(Uint8Array)
    // One character of client 6, whose left neighbour is that value; no flag says that it takes over the key.
    const taker = Uint8Array.of(1, 1, 6, 0, 0x84, 5, 0, 1, 0x78, 0)
    const record = commit(content, taker)
    expect(record).toBeInstanceOf(Uint8Array)
    expect(Y.decodeUpdate(record as Uint8Array).ds.clients.get(5)).toHaveLength(1)
  })

  it('P1: nothing is taken for saved that Yjs keeps back because part of the log cannot be used', () => {
    const content = new Content(EMPTY, defaultLimits)
    const typed = sent(7, null, ...Array.from('abc', (letter) => (doc: Y.Doc) => doc.getText('t').insert(0, letter)))
    const [first = new Uint8Array(), second = new Uint8Array(), third = new Uint8Array()] = typed
    const seen: Error[] = []
    const damaged = { ...EMPTY, tail: [{ cursor: 'x-2', update: second }], head: 'x-2' }
    const holed = new Content(damaged, defaultLimits, (error) => seen.push(error))
    expect(holed.damaged).toBe(true)
    expect(commit(holed, third)).toBe('missing')
    expect(commit(holed, first)).toBeInstanceOf(Uint8Array)
    expect(commit(holed, third)).toBeInstanceOf(Uint8Array)
    expect(commit(content, first)).toBeInstanceOf(Uint8Array)
  })

  it('P2: a log entry on which Yjs throws is reported, and no snapshot is made without it', () => {
    // An item that overlaps with collected structs: Yjs throws, wherever it stands in the log.
    const collected = Uint8Array.of(1, 1, 3, 0, 0, 1, 0)
    const overlapping = Uint8Array.of(1, 1, 3, 0, 4, 1, 1, 0x61, 2, 0x62, 0x63, 0)
    const [typed = new Uint8Array()] = sent(7, null, (doc) => doc.getText('t').insert(0, 'kept'))
    const tail = [collected, overlapping, typed].map((update, index) => ({ cursor: `x-${index + 1}`, update }))
    const seen: Error[] = []
    const content = new Content({ ...EMPTY, tail, head: 'x-3' }, defaultLimits, (error) => seen.push(error))
    const doc = new Y.Doc()
    Y.applyUpdate(doc, content.encode(Uint8Array.of(0)))
    expect(doc.getText('t').toJSON()).toBe('kept')
    expect(seen).toHaveLength(1)
    expect([content.damaged, content.isCheap, content.isLossy]).toEqual([true, false, true])
  })
})

describe('a broadcast', () => {
  it('P3: keeps no frame per visitor, but shares those of a room', () => {
    let encoded = 0
    const link = { encode: () => Uint8Array.of((encoded += 1)) } as unknown as Link
    const dialect = (key: string): Dialect => ({
      protocol: 'hocuspocus',
      key,
      prefix: Uint8Array.of(),
      acknowledges: true,
    })
    const broadcast = new Broadcast(Uint8Array.of(1))
    for (let session = 0; session < 3; session += 1) {
      broadcast.frameFor(dialect(''), link)
      broadcast.frameFor(dialect('room'), link)
    }
    expect(encoded).toBe(2)
    for (let session = 0; session < 3; session += 1) broadcast.frameFor(dialect(`room\0${session % 2}`), link)
    expect(encoded).toBe(5)
  })
})
