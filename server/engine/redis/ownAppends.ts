import type { Cursor } from '../engine.ts'
import { appendOf } from './redisCursor.ts'

/** Failed appends remembered: they can still be carried out as long as Redis has unread commands of a lost connection. */
const MAX_FAILED = 64

/**
 * What this node appends to one document, and may hear of in two ways: as the answer, and like everybody else. When the
 * answer is lost the other way decides, so that no entry is taken for known by a document that was told it had failed.
 */
export class OwnAppends {
  readonly #node: string
  /** Without an answer so far; the cursor, once it was heard of. */
  readonly #open = new Map<string, Cursor | null>()
  /** Failed, as far as anybody was told; they may exist. The oldest first. */
  readonly #failed = new Set<string>()

  constructor(node: string) {
    this.#node = `${node}.`
  }

  begin(append: string): void {
    this.#open.set(append, null)
  }

  succeed(cursor: Cursor): void {
    this.#open.delete(appendOf(cursor))
  }

  /** Its cursor, if it was heard of. */
  fail(append: string): Cursor | null {
    const cursor = this.#open.get(append) ?? null
    this.#open.delete(append)
    if (cursor !== null) return cursor
    this.#failed.add(append)
    const [oldest] = this.#failed
    if (this.#failed.size > MAX_FAILED && oldest !== undefined) this.#failed.delete(oldest)
    return null
  }

  /** True when this node wrote the entry. */
  wrote(cursor: Cursor): boolean {
    return cursor.startsWith(this.#node, cursor.indexOf('.') + 1)
  }

  /** Its own entry was heard of: true when whoever appended it knows, or will be told. */
  pass(cursor: Cursor): boolean {
    const append = appendOf(cursor)
    if (this.#open.has(append)) this.#open.set(append, cursor)
    return !this.#failed.delete(append)
  }
}
