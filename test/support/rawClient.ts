import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { encodeFrame, FrameDecoder, Opcode } from './rawFrames.ts'
import type { Frame } from './rawFrames.ts'

/** RFC 6455's own example; the server's answer to it is not of interest here. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
/** Milliseconds after which a wait is given up; far above anything that works takes. */
const PATIENCE_MS = 15_000

export interface Closed {
  /** Code of the server's close frame; 1005 = one without a code, 1006 = none came. */
  readonly code: number
  readonly reason: string
}

interface Waiter {
  readonly check: () => boolean
  readonly resolve: () => void
}

function tcp(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // A server that closes while we still send resets the connection: part of what is tested.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Sends a request as it is and returns everything that comes back until the server closes the connection. */
export async function rawRequest(port: number, request: string | Uint8Array): Promise<string> {
  const socket = await tcp(port)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no end of the answer')))
  socket.write(request)
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return Buffer.concat(chunks).toString('latin1')
}

export function upgradeRequest(path: string, headers: readonly string[] = []): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    'Host: localhost',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Key: ${KEY}`,
    'Sec-WebSocket-Version: 13',
    ...headers,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** A WebSocket client made by hand: sends any bytes, sees every frame, obeys no rule by itself but answering pings. */
export class RawClient {
  readonly socket: Socket
  /** Binary messages received, fragments joined, oldest first. */
  readonly messages: Buffer[] = []
  /** Every frame received, in wire order. */
  readonly frames: { readonly opcode: number; readonly length: number; readonly masked: boolean }[] = []
  answersPings = true
  bytesReceived = 0
  onMessage: ((message: Buffer) => void) | null = null
  #closed: Closed | null = null
  #ended = false
  #fragments: Buffer[] = []
  readonly #decoder = new FrameDecoder()
  readonly #waiters = new Set<Waiter>()

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('close', () => {
      this.#ended = true
      this.#notice()
    })
  }

  /** Opens a WebSocket; throws with the status line when the server refuses. */
  static async open(port: number, path: string): Promise<RawClient> {
    const socket = await tcp(port)
    const client = new RawClient(socket)
    socket.write(upgradeRequest(path))
    const rest = await readHead(socket)
    socket.on('data', (chunk: Buffer) => client.#receive(chunk))
    if (rest.length > 0) client.#receive(rest)
    return client
  }

  /** What the server's close frame said; null while none has come. */
  get closeFrame(): Closed | null {
    return this.#closed
  }

  get isGone(): boolean {
    return this.#ended
  }

  write(bytes: Uint8Array): void {
    this.socket.write(bytes)
  }

  /** One whole binary message. */
  send(payload: Uint8Array): void {
    this.socket.write(encodeFrame(Opcode.binary, payload))
  }

  /** Stops reading: TCP then stops the server. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Resolves once `check` holds, asked after everything received. */
  until(check: () => boolean, what: string): Promise<void> {
    if (check()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        reject(new Error(`timed out waiting until ${what}; closed: ${JSON.stringify(this.#closed)}`))
      }, PATIENCE_MS)
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        resolve()
      }
      const waiter = { check, resolve: finish }
      this.#waiters.add(waiter)
    })
  }

  /** Waits until the server has closed the socket. */
  async closed(): Promise<Closed> {
    await this.until(() => this.#closed !== null || this.#ended, 'the server closes')
    const code = this.#closed?.code ?? 1006
    this.socket.destroy()
    return { code, reason: this.#closed?.reason ?? '' }
  }

  destroy(): void {
    this.socket.destroy()
  }

  #receive(chunk: Buffer): void {
    this.bytesReceived += chunk.length
    for (const frame of this.#decoder.push(chunk)) this.#take(frame)
    this.#notice()
  }

  #take(frame: Frame): void {
    this.frames.push({ opcode: frame.opcode, length: frame.payload.length, masked: frame.masked })
    switch (frame.opcode) {
      case Opcode.close:
        this.#closed = {
          code: frame.payload.length < 2 ? 1005 : frame.payload.readUInt16BE(0),
          reason: frame.payload.subarray(2).toString('utf8'),
        }
        return
      case Opcode.ping:
        if (this.answersPings) this.write(encodeFrame(Opcode.pong, frame.payload))
        return
      case Opcode.pong:
        return
      default:
        this.#fragments.push(frame.payload)
        if (frame.fin) this.#deliver()
    }
  }

  #deliver(): void {
    const message = this.#fragments.length === 1 ? this.#fragments[0] : undefined
    const whole = message ?? Buffer.concat(this.#fragments)
    this.#fragments = []
    this.messages.push(whole)
    this.onMessage?.(whole)
  }

  #notice(): void {
    for (const waiter of this.#waiters) if (waiter.check()) waiter.resolve()
  }
}

/** Reads the answer to the upgrade and returns what came behind it. */
function readHead(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const onClose = (): void => reject(new Error(`refused: ${head.toString('latin1').split('\r\n')[0] ?? ''}`))
    const onData = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end === -1) return
      if (!head.toString('latin1').startsWith('HTTP/1.1 101')) return
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve(head.subarray(end + 4))
    }
    socket.on('data', onData)
    socket.once('close', onClose)
  })
}
