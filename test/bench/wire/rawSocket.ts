import { connect, type Socket } from 'node:net'
import { acceptValue, clientFrame, FIN, FrameParser, OPCODE } from './frames.ts'

/** All sockets read into one buffer: a read is handed on synchronously, so nobody sees the next one's bytes. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024)
/** 16 bytes, as the handshake wants. */
const KEY = Buffer.from('scriptorium-load').toString('base64')
const ACCEPT = acceptValue(KEY)

export interface RawSocketEvents {
  /** The upgrade has succeeded. */
  open(): void
  /** A data frame; `source` is only valid during the call. `time` is when its last bytes were read, in ms. */
  message(source: Buffer, start: number, end: number, time: number): void
  /** Exactly once: refused, reset, closed by the server, or by us. */
  closed(reason: string): void
}

/** A WebSocket client over a plain TCP socket: cheap enough that a thousand of them are not the bottleneck. */
export class RawSocket {
  private readonly events: RawSocketEvents
  private readonly socket: Socket
  private readonly parser: FrameParser
  private head: Buffer | null = Buffer.alloc(0)
  private time = 0
  private readonly fragments: Buffer[] = []
  private done = false
  bytesReceived = 0

  constructor(port: number, path: string, events: RawSocketEvents) {
    this.events = events
    this.parser = new FrameParser((first, source, start, end) => {
      this.frame(first, source, start, end)
    })
    this.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes: number) => {
          this.read(bytes)
          return true
        },
      },
    })
    this.socket.on('connect', () => {
      this.socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`,
      )
    })
    this.socket.on('error', (error) => {
      this.end(error.message)
    })
    this.socket.on('close', () => {
      this.end('closed')
    })
    this.socket.on('end', () => {
      this.end('ended')
    })
  }

  /** Writes frames made by `clientFrame`, in one go. False when the kernel did not take all of it: wait for `drained`. */
  write(...frames: readonly Buffer[]): boolean {
    if (this.done) return true
    const [only] = frames
    return this.socket.write(frames.length === 1 && only !== undefined ? only : Buffer.concat(frames))
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.done || !this.socket.writableNeedDrain) resolve()
      else {
        this.socket.once('drain', resolve)
        this.socket.once('close', () => {
          resolve()
        })
      }
    })
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  close(): void {
    this.write(clientFrame(Uint8Array.of(0x03, 0xe8), OPCODE.close))
    this.end('closed by the benchmark')
  }

  /** Ends the connection without a close frame; `closed` gets the reason. */
  end(reason: string): void {
    if (this.done) return
    this.done = true
    this.socket.end()
    setTimeout(() => {
      this.socket.destroy()
    }, 500).unref()
    this.events.closed(reason)
  }

  private read(bytes: number): void {
    if (this.done) return
    this.time = performance.now()
    this.bytesReceived += bytes
    if (this.head === null) this.parser.push(readBuffer, 0, bytes)
    else this.handshake(bytes)
  }

  private handshake(bytes: number): void {
    const head = Buffer.concat([this.head ?? Buffer.alloc(0), readBuffer.subarray(0, bytes)])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) {
      this.head = head
      return
    }
    this.head = null
    const text = head.toString('latin1', 0, end)
    if (!text.startsWith('HTTP/1.1 101') || !text.includes(ACCEPT)) {
      this.end(`upgrade refused: ${text.slice(0, 60)}`)
      return
    }
    this.events.open()
    if (head.length > end + 4) this.parser.push(head, end + 4, head.length)
  }

  private frame(first: number, source: Buffer, start: number, end: number): void {
    const opcode = first & 0x0f
    if (opcode === OPCODE.ping) this.write(clientFrame(source.subarray(start, end), OPCODE.pong))
    else if (opcode === OPCODE.close) this.end(`close frame ${end - start >= 2 ? source.readUInt16BE(start) : 1005}`)
    else if (opcode !== OPCODE.pong) this.data((first & FIN) !== 0, source, start, end)
  }

  /** A whole message, or a fragment of one. */
  private data(isLast: boolean, source: Buffer, start: number, end: number): void {
    if (isLast && this.fragments.length === 0) {
      this.events.message(source, start, end, this.time)
      return
    }
    this.fragments.push(Buffer.from(source.subarray(start, end)))
    if (!isLast) return
    const whole = Buffer.concat(this.fragments.splice(0))
    this.events.message(whole, 0, whole.length, this.time)
  }
}
