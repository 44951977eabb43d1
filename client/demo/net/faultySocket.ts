import type { SocketLike } from '../../index.ts'
import { DelayLine } from './delayLine.ts'
import type { Faults } from './faults.ts'

/** The network a socket belongs to. */
export interface SocketNetwork {
  readonly faults: Faults
  readonly sockets: Set<FaultySocket>
}

/** RFC 6455: the connection ended without a word. */
const ABNORMAL = 1006

/** A WebSocket of the browser behind a network that is as bad as the panel says. */
export class FaultySocket implements SocketLike {
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  readonly #network: SocketNetwork
  readonly #socket: WebSocket | null
  readonly #incoming: DelayLine
  readonly #outgoing: DelayLine
  /** As seen from here: the opening and the end take as long as a message. */
  #readyState = 0

  constructor(network: SocketNetwork, url: string, protocols?: string | string[]) {
    const faults = (): Faults => network.faults
    this.#network = network
    this.#incoming = new DelayLine(faults)
    this.#outgoing = new DelayLine(faults)
    network.sockets.add(this)
    this.#socket = network.faults.isOffline ? null : new WebSocket(url, protocols)
    if (this.#socket === null) setTimeout(() => this.cut())
    else this.#listen(this.#socket)
  }

  get binaryType(): string {
    return this.#socket?.binaryType ?? 'arraybuffer'
  }

  set binaryType(type: string) {
    if (this.#socket !== null) this.#socket.binaryType = type as BinaryType
  }

  get readyState(): number {
    return this.#readyState
  }

  get bufferedAmount(): number {
    return (this.#socket?.bufferedAmount ?? 0) + this.#outgoing.bytes
  }

  send(data: Uint8Array<ArrayBuffer>): void {
    const copy = data.slice() // the sender may reuse its buffer while this one is under way
    this.#outgoing.put(copy.length, () => this.#socket?.send(copy))
  }

  close(code?: number, reason?: string): void {
    if (this.#readyState > 1) return
    this.#readyState = 2
    this.#outgoing.put(0, () => this.#socket?.close(code, reason))
  }

  /** The connection breaks: what is under way is lost, and this end hears that it is over. */
  cut(): void {
    this.#incoming.clear()
    this.#outgoing.clear()
    if (this.#socket !== null) leave(this.#socket)
    this.#end(new CloseEvent('close', { code: ABNORMAL }))
  }

  #listen(socket: WebSocket): void {
    socket.addEventListener('open', (event) => {
      this.#incoming.put(0, () => {
        if (this.#readyState !== 0) return
        this.#readyState = 1
        this.onopen?.(event as never)
      })
    })
    socket.addEventListener('message', (event: MessageEvent<ArrayBuffer>) => {
      if (this.#readyState < 3) this.#incoming.put(event.data.byteLength, () => this.onmessage?.(event as never))
    })
    socket.addEventListener('error', (event) => {
      if (this.#readyState < 3) this.onerror?.(event as never)
    })
    socket.addEventListener('close', (event) => this.#incoming.put(0, () => this.#end(event)))
  }

  #end(event: CloseEvent): void {
    if (this.#readyState === 3) return
    this.#readyState = 3
    this.#network.sockets.delete(this)
    this.onclose?.(event as never)
  }
}

/** A browser complains on its console about a socket that is closed before it is open; this one waits until it is. */
function leave(socket: WebSocket): void {
  if (socket.readyState === WebSocket.CONNECTING) socket.addEventListener('open', () => socket.close())
  else socket.close()
}
