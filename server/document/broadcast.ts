import type { Dialect, Link } from './link.ts'

interface Encoded {
  readonly key: string
  readonly frame: Uint8Array
}

/**
 * One message for many: encoded once per dialect, not once per socket. In a room there are at most two that matter: plain
 * y-websocket, and one Hocuspocus address. Sessions with ids of their own (`name\0session`) have one each, which nobody
 * shares, so their frames are not kept: ten thousand visitors would leave ten thousand copies of a document behind.
 */
export class Broadcast {
  readonly #message: Uint8Array
  #plain: Uint8Array | null = null
  #addressed: Encoded | null = null

  constructor(message: Uint8Array) {
    this.#message = message
  }

  frameFor(dialect: Dialect, link: Link): Uint8Array {
    if (dialect.key === '') return (this.#plain ??= link.encode(dialect.prefix, this.#message))
    if (this.#addressed?.key === dialect.key) return this.#addressed.frame
    const frame = link.encode(dialect.prefix, this.#message)
    this.#addressed ??= { key: dialect.key, frame }
    return frame
  }
}
