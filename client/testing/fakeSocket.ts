import type { LinkClose, LinkEnd, LinkListener } from './linkPair.ts'

/** `CloseEvent` for Node 20 as well, where it is no global. */
class FakeCloseEvent extends Event implements CloseEvent {
  readonly code: number
  readonly reason: string
  readonly wasClean: boolean

  constructor({ code, reason }: LinkClose) {
    super('close')
    this.code = code
    this.reason = reason
    this.wasClean = code !== 1006
  }
}

type Handler<E extends Event> = ((this: WebSocket, event: E) => unknown) | null

/** A browser's `WebSocket` over one end of a link: events on properties and by `addEventListener`, binary messages only. */
export class FakeSocket extends EventTarget implements WebSocket, LinkListener {
  static readonly CONNECTING = 0
  static readonly OPEN = 1
  static readonly CLOSING = 2
  static readonly CLOSED = 3
  readonly CONNECTING = 0
  readonly OPEN = 1
  readonly CLOSING = 2
  readonly CLOSED = 3

  binaryType: BinaryType = 'blob'
  onopen: Handler<Event> = null
  onmessage: Handler<MessageEvent> = null
  onerror: Handler<Event> = null
  onclose: Handler<CloseEvent> = null
  readonly url: string
  readonly protocol: string
  readonly extensions = ''
  #readyState: 0 | 1 | 2 | 3 = 0
  #end: LinkEnd | null = null
  readonly #onAbandoned: (socket: FakeSocket) => void

  /** @param onAbandoned told when the socket is closed while it is still connecting */
  constructor(url: string, protocols: readonly string[], onAbandoned: (socket: FakeSocket) => void) {
    super()
    this.url = url
    this.protocol = protocols[0] ?? ''
    this.#onAbandoned = onAbandoned
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState
  }

  get bufferedAmount(): number {
    return this.#end?.bufferedAmount ?? 0
  }

  /** @throws TypeError for text: the Yjs protocols have none, so it would be a mistake */
  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (this.#readyState === FakeSocket.CONNECTING) throw new DOMException('still connecting', 'InvalidStateError')
    if (this.#readyState === FakeSocket.OPEN) this.#end?.send(toBytes(data))
  }

  close(code?: number, reason?: string): void {
    if (this.#readyState === FakeSocket.CONNECTING) {
      this.#readyState = FakeSocket.CLOSING
      this.#onAbandoned(this)
    } else if (this.#readyState === FakeSocket.OPEN) {
      this.#readyState = FakeSocket.CLOSING
      this.#end?.close(code, reason)
    }
  }

  /** For the network: the handshake is done. */
  open(end: LinkEnd): void {
    this.#end = end
    end.listener = this
    this.#readyState = FakeSocket.OPEN
    this.#emit(new Event('open'), this.onopen)
  }

  /** For the network: there will be no connection. */
  fail(): void {
    if (this.#readyState === FakeSocket.CLOSED) return
    this.#readyState = FakeSocket.CLOSED
    this.#emit(new Event('error'), this.onerror)
    this.#emit(new FakeCloseEvent({ code: 1006, reason: '' }), this.onclose)
  }

  onMessage(message: Uint8Array): void {
    if (this.#readyState !== FakeSocket.OPEN) return
    // Copied, so that the buffer holds the message and nothing else.
    this.#emit(new MessageEvent('message', { data: message.slice().buffer }), this.onmessage)
  }

  onClose(close: LinkClose): void {
    this.#readyState = FakeSocket.CLOSED
    this.#emit(new FakeCloseEvent(close), this.onclose)
  }

  #emit<E extends Event>(event: E, handler: Handler<E>): void {
    this.dispatchEvent(event)
    handler?.call(this, event)
  }
}

function toBytes(data: string | ArrayBufferLike | Blob | ArrayBufferView): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (typeof data === 'string' || data instanceof Blob) throw new TypeError('a fake socket carries bytes only')
  return new Uint8Array(data)
}
