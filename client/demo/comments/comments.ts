import * as Y from 'yjs'
import type { Person } from '../people/person.ts'
import type { Passage } from '../surface.ts'
import { MAX_LENGTH, readThread } from './comment.ts'
import type { Thread } from './comment.ts'

/** The comments of a document. They are kept in it, so they travel, are saved and go offline as the text does. */
export class Comments {
  readonly #list: Y.Array<unknown>

  constructor(doc: Y.Doc) {
    this.#list = doc.getArray('comments')
  }

  watch(listener: () => void): void {
    this.#list.observeDeep(listener)
  }

  /** Oldest first. */
  get threads(): Thread[] {
    return this.#list.toArray().flatMap((entry) => readThread(entry) ?? [])
  }

  add(author: Person, text: string, passage: Passage | null): void {
    const entry = new Y.Map<unknown>()
    const about = passage === null ? {} : { quote: passage.text, anchor: passage.anchor }
    const fields = { id: newId(), ...remark(author, text), ...about, replies: new Y.Array() }
    for (const [key, value] of Object.entries(fields)) entry.set(key, value)
    this.#list.push([entry])
  }

  reply(id: string, author: Person, text: string): void {
    const replies = this.#entry(id)?.get('replies')
    if (replies instanceof Y.Array) replies.push([remark(author, text)])
  }

  resolve(id: string, isResolved: boolean): void {
    this.#entry(id)?.set('resolved', isResolved)
  }

  remove(id: string): void {
    const index = this.#list.toArray().findIndex((entry) => readThread(entry)?.id === id)
    if (index !== -1) this.#list.delete(index)
  }

  #entry(id: string): Y.Map<unknown> | undefined {
    const isIt = (entry: unknown): entry is Y.Map<unknown> => entry instanceof Y.Map && entry.get('id') === id
    return this.#list.toArray().find(isIt)
  }
}

function remark(author: Person, text: string): { author: Person; at: number; text: string } {
  return { author, at: Date.now(), text: text.slice(0, MAX_LENGTH) }
}

/** `crypto.randomUUID` is for secure pages only, and this one may come over plain HTTP. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('')
}
