import type { Dialect, Link } from './link.ts'

/**
 * One message for many: encoded once per dialect, not once per socket. In a room of one editor there is one dialect;
 * Hocuspocus sessions with ids of their own (`name\0session`) have one each.
 */
export class Broadcast {
  readonly #message: Uint8Array
  #first: { readonly key: string; readonly frame: Uint8Array } | null = null
  /** Frames of further dialects. */
  #others: Map<string, Uint8Array> | null = null

  constructor(message: Uint8Array) {
    this.#message = message
  }

  frameFor(dialect: Dialect, link: Link): Uint8Array {
    if (this.#first?.key === dialect.key) return this.#first.frame
    const known = this.#others?.get(dialect.key)
    if (known !== undefined) return known
    const frame = link.encode(dialect.prefix, this.#message)
    if (this.#first === null) this.#first = { key: dialect.key, frame }
    else (this.#others ??= new Map()).set(dialect.key, frame)
    return frame
  }
}
