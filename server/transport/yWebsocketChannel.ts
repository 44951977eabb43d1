import { MalformedFrameError } from '../../shared/errors.ts'
import type { ClientMessage } from '../../shared/wire/messages.ts'
import { readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import type { Document } from '../document/document.ts'
import type { Dialect, Link } from '../document/link.ts'
import type { Session } from '../document/session.ts'
import type { Observer } from '../observer.ts'
import type { Channel } from './channel.ts'

const dialect: Dialect = { protocol: 'y-websocket', key: '', prefix: new Uint8Array(), acknowledges: false }

/** y-websocket 1 to 4 and y-sweet clients: one document per socket, named by the URL. */
export class YWebsocketChannel implements Channel {
  readonly #session: Session
  readonly #observer: Observer

  constructor(link: Link, document: Document, observer: Observer) {
    this.#session = document.join({ link, dialect })
    this.#observer = observer
  }

  /** A frame holds one message; our own and Yjs 14 clients may put several into one, which are taken all or none. */
  receive(frame: Uint8Array): void {
    const reader = new Reader(frame)
    const first = readMessage(reader)
    if (reader.remaining === 0) return this.#dispatch(first)
    if (first.type === 'ignored') return this.#dispatch(first) // of unknown length: nothing behind it can be read
    const messages: ClientMessage[] = [first]
    while (reader.remaining > 0) messages.push(this.#readNext(reader))
    // An upload in front is looked through when it is taken, before anything comes of it: once is dear enough.
    const isUpload = first.type === 'update' || first.type === 'syncStep2'
    for (const message of isUpload ? messages.slice(1) : messages) this.#session.check(message)
    for (const message of messages) this.#dispatch(message)
  }

  prefixOf(): Uint8Array {
    return dialect.prefix
  }

  drained(): void {
    this.#session.drained()
  }

  keepAlive(): void {
    this.#session.keepAlive()
  }

  reassure(): void {
    if (this.#session.isWaitingForProof) this.#session.keepAlive()
  }

  end(): void {
    this.#session.end()
  }

  #readNext(reader: Reader): ClientMessage {
    const message = readMessage(reader)
    if (message.type === 'ignored') throw new MalformedFrameError('unknown message behind a known one')
    return message
  }

  #dispatch(message: ClientMessage): void {
    if (message.type !== 'ignored') return this.#session.receive(message)
    this.#observer.observe({ type: 'ignored', protocol: 'y-websocket', messageType: message.messageType })
  }
}
