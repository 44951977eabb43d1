import type { Dialect, Link } from './link.ts'

/**
 * One message for many: encoded once per dialect, not once per socket. In a room of one editor there is one dialect;
 * Hocuspocus sessions with ids of their own (`name\0session`) have one each.
 */
export class Broadcast {
  readonly #message: Uint8Array
  readonly #frames = new Map<string, Uint8Array>()

  constructor(message: Uint8Array) {
    this.#message = message
  }

  frameFor(dialect: Dialect, link: Link): Uint8Array {
    let frame = this.#frames.get(dialect.key)
    if (frame === undefined) {
      frame = link.encode(dialect.prefix, this.#message)
      this.#frames.set(dialect.key, frame)
    }
    return frame
  }
}
