import * as Y from 'yjs'

/** All benchmarks write into one shared text of this name. */
export const TEXT = 'content'
const FIRST_ID = 1_000_000_007
const ID_STEP = 7919

/** Client ids like real ones: large, so that they cost five bytes on the wire. */
export function clientId(number: number): number {
  return FIRST_ID + number * ID_STEP
}

const LETTERS = 'etaoin shrdlu'

/**
 * One person's edits, one character and one update each, so that edit number k is clock k of the person's id. The person
 * types behind their own last character and knows nobody else's text: so all updates can be made before the clock starts.
 */
export function typedUpdates(number: number, edits: number): Uint8Array[] {
  const doc = new Y.Doc()
  doc.clientID = clientId(number)
  const text = doc.getText(TEXT)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => {
    updates.push(update)
  })
  for (let k = 0; k < edits; k++) text.insert(k, LETTERS[(number + k) % LETTERS.length] ?? ' ')
  doc.destroy()
  return updates
}

/** Edits of so many people in one document, one of each in turn. */
export function typedTogether(people: number, edits: number): Uint8Array[] {
  const all = Array.from({ length: people }, (_, number) => typedUpdates(number, Math.ceil(edits / people)))
  return Array.from({ length: edits }, (_, k) => all[k % people]?.[Math.floor(k / people)] as Uint8Array)
}

/** A document in which `people` client ids have written one character each, as one update. */
export function crowdUpdate(people: number): Uint8Array {
  const doc = new Y.Doc()
  const text = doc.getText(TEXT)
  for (let i = 0; i < people; i++) {
    doc.clientID = 500_000_003 + i * ID_STEP
    text.insert(text.length, LETTERS[i % LETTERS.length] ?? ' ')
  }
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return update
}

/** What a document with these updates reads, text and map, whatever order the keys were written in. */
export function contentOf(updates: readonly Uint8Array[]): string {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update)
  })
  const entries = Object.entries(doc.getMap('map').toJSON()).sort(([a], [b]) => (a < b ? -1 : 1))
  const content = JSON.stringify([doc.getText(TEXT).toJSON(), entries])
  doc.destroy()
  return content
}
