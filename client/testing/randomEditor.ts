import * as Y from 'yjs'
import type { Random } from './random.ts'

/** One change to a document. It may do nothing, for instance when there is nothing left to delete. */
export type Edit = (doc: Y.Doc, random: Random) => void

function insertText(doc: Y.Doc, random: Random): void {
  const text = doc.getText('text')
  text.insert(random.below(text.length + 1), 'abcdefgh'.slice(0, 1 + random.below(8)))
}

function deleteText(doc: Y.Doc, random: Random): void {
  const text = doc.getText('text')
  if (text.length === 0) return
  const at = random.below(text.length)
  text.delete(at, Math.min(1 + random.below(5), text.length - at))
}

function format(doc: Y.Doc, random: Random): void {
  const text = doc.getText('text')
  if (text.length === 0) return
  const at = random.below(text.length)
  text.format(at, Math.min(1 + random.below(6), text.length - at), { bold: random.chance(0.5) ? true : null })
}

function setKey(doc: Y.Doc, random: Random): void {
  const key = `k${random.below(4)}`
  if (random.chance(0.2)) doc.getMap('map').delete(key)
  else doc.getMap('map').set(key, random.below(1000))
}

function nest(doc: Y.Doc, random: Random): void {
  const list = doc.getArray('list')
  const inner = new Y.Map<unknown>()
  inner.set('text', new Y.Text(`t${random.below(100)}`))
  list.insert(random.below(list.length + 1), random.chance(0.5) ? [inner] : [random.below(100), 'x', null])
}

function editNested(doc: Y.Doc, random: Random): void {
  const inner = random.pick(doc.getArray('list').toArray())
  if (!(inner instanceof Y.Map)) return
  const text: unknown = inner.get('text')
  if (text instanceof Y.Text) text.insert(random.below(text.length + 1), 'n')
}

function deleteItem(doc: Y.Doc, random: Random): void {
  const list = doc.getArray('list')
  if (list.length > 0) list.delete(random.below(list.length), 1)
}

/**
 * Writing, deleting and formatting in the text `text`, keys of the map `map`, and values, maps and nested texts in the
 * array `list`. Text comes three times as often as each of the others.
 */
export const defaultEdits: readonly Edit[] = [
  insertText,
  insertText,
  insertText,
  deleteText,
  format,
  setKey,
  nest,
  editNested,
  deleteItem,
]

/** Somebody who changes a document at random: the same seed and the same document give the same changes. */
export class RandomEditor {
  readonly doc: Y.Doc
  readonly #random: Random
  readonly #edits: readonly Edit[]

  /** @param edits what it does, each as likely as the others; default: {@link defaultEdits} */
  constructor(doc: Y.Doc, random: Random, edits: readonly Edit[] = defaultEdits) {
    this.doc = doc
    this.#random = random
    this.#edits = edits
  }

  /** One random change, or (one time in five) four in one transaction. */
  edit(): void {
    this.doc.transact(() => {
      for (let count = this.#random.chance(0.2) ? 4 : 1; count > 0; count -= 1) {
        this.#random.pick(this.#edits)?.(this.doc, this.#random)
      }
    })
  }
}
