import { clientFrame } from '../wire/frames.ts'
import { RawSocket } from '../wire/rawSocket.ts'

type Listener = (event: never) => void
type EventName = 'open' | 'message' | 'close' | 'error'

/**
 * As much of a WebSocket as providers use. An attempt to connect costs a fraction of what `ws` takes, so that a thousand of
 * them in one process are limited by their own timers and not by each other.
 */
export class LightSocket {
  binaryType = 'arraybuffer'
  readyState = 0
  readonly bufferedAmount = 0
  readonly OPEN = 1
  onopen: Listener | null = null
  onmessage: Listener | null = null
  onerror: Listener | null = null
  onclose: Listener | null = null
  private readonly listeners: Record<EventName, Listener[]> = { open: [], message: [], close: [], error: [] }
  private readonly raw: RawSocket

  constructor(url: string) {
    const { port, pathname, search } = new URL(url)
    this.raw = new RawSocket(Number(port), pathname + search, {
      open: () => {
        this.readyState = 1
        this.emit('open', { type: 'open' })
      },
      message: (source, start, end) => {
        this.emit('message', { type: 'message', data: Uint8Array.from(source.subarray(start, end)).buffer })
      },
      closed: (reason) => this.end(reason),
    })
  }

  addEventListener(name: EventName, listener: Listener): void {
    this.listeners[name].push(listener)
  }

  removeEventListener(name: EventName, listener: Listener): void {
    this.listeners[name] = this.listeners[name].filter((one) => one !== listener)
  }

  send(data: Uint8Array): void {
    if (this.readyState === 1) this.raw.write(clientFrame(data))
  }

  close(): void {
    if (this.readyState < 2) this.raw.close()
  }

  private end(reason: string): void {
    const wasOpen = this.readyState === 1
    this.readyState = 3
    if (!wasOpen) this.emit('error', { type: 'error', message: reason })
    this.emit('close', { type: 'close', code: 1006, reason: '', wasClean: false })
  }

  private emit(name: EventName, event: object): void {
    this[`on${name}`]?.(event as never)
    for (const listener of this.listeners[name]) listener(event as never)
  }
}
