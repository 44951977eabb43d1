import type { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { HttpTimeouts } from '../http/timeouts.ts'
import { handshakeAnswer, MAX_FRAME_START_BYTES, readFirstFrame } from './firstFrame.ts'
import { readRequestHead } from './requestHead.ts'

/** A connection that is to be given to a worker. It is not read from any more. */
export interface Arrival {
  readonly socket: Socket
  /** What was read of it, as Latin-1: the worker must see it again. */
  readonly head: string
  /** It is a WebSocket already: the request in `head` has been answered. */
  readonly isAnswered: boolean
  readonly isUpgrade: boolean
  readonly document: string | null
}

export interface ArrivalsOptions {
  readonly clock: Clock
  readonly timeouts: HttpTimeouts
  /** False while a WebSocket would have to be refused: after it has been answered, that is too late. */
  readonly mayAnswer: () => boolean
  readonly onArrival: (arrival: Arrival) => void
}

/** Milliseconds a WebSocket has for its first frame before any worker gets it, which then waits for that frame. */
const FIRST_FRAME_MS = 2_000

interface Reading {
  readonly since: number
  read: string
  /** Where the first frame begins, once the request has been answered. */
  frame: number | null
}

/** Connections whose first request has not been read far enough to know which worker they are for. */
export class Arrivals {
  readonly #options: ArrivalsOptions
  /** The oldest first. */
  readonly #readings = new Map<Socket, Reading>()
  #answered = 0
  #cancelCheck: (() => void) | null = null

  constructor(options: ArrivalsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#readings.size
  }

  /** Those among them that are WebSockets already. */
  get answered(): number {
    return this.#answered
  }

  add(socket: Socket): void {
    this.#readings.set(socket, { since: this.#options.clock.now(), read: '', frame: null })
    this.#scheduleCheck()
    socket.on('data', (chunk: Buffer) => this.#received(socket, chunk))
    socket.on('end', () => this.#dropIfReading(socket))
    // Resets are everyday, here and when the answer is that there is nobody: 'close' follows.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#forget(socket))
  }

  /** Ends those that have not said what they want. */
  close(): void {
    this.#cancelCheck?.()
    for (const socket of this.#readings.keys()) socket.destroy()
  }

  #received(socket: Socket, chunk: Buffer): void {
    const reading = this.#readings.get(socket)
    if (reading === undefined) return
    reading.read += chunk.toString('latin1')
    if (reading.frame === null) this.#readHead(socket, reading)
    if (reading.frame !== null) this.#readFrame(socket, reading, reading.frame)
  }

  #readHead(socket: Socket, reading: Reading): void {
    const head = readRequestHead(reading.read)
    if (head.kind === 'incomplete') return
    if (head.kind !== 'greeting') {
      const isUpgrade = head.kind === 'upgrade'
      return this.#arrived(socket, reading, { isUpgrade, document: isUpgrade ? head.document : null })
    }
    if (!this.#options.mayAnswer()) return this.#arrived(socket, reading, { isUpgrade: true, document: null })
    reading.frame = head.length
    this.#answered += 1
    socket.write(handshakeAnswer(head.key))
  }

  #readFrame(socket: Socket, reading: Reading, start: number): void {
    const frame = readFirstFrame(Buffer.from(reading.read.slice(start, start + MAX_FRAME_START_BYTES), 'latin1'))
    if (frame.kind === 'read') this.#arrived(socket, reading, { isUpgrade: true, document: frame.document })
  }

  #arrived(socket: Socket, reading: Reading, about: Pick<Arrival, 'isUpgrade' | 'document'>): void {
    stopReading(socket)
    this.#forget(socket)
    this.#options.onArrival({ socket, head: reading.read, isAnswered: reading.frame !== null, ...about })
  }

  #forget(socket: Socket): void {
    const reading = this.#readings.get(socket)
    if (reading === undefined) return
    this.#readings.delete(socket)
    if (reading.frame !== null) this.#answered -= 1
  }

  #dropIfReading(socket: Socket): void {
    if (this.#readings.has(socket)) socket.destroy()
  }

  #scheduleCheck(): void {
    const { clock, timeouts } = this.#options
    this.#cancelCheck ??= clock.after(timeouts.checkMs, () => {
      this.#cancelCheck = null
      this.#endLate(clock.now())
      if (this.#readings.size > 0) this.#scheduleCheck()
    })
  }

  /** One header byte every ten seconds (C66), or none at all. */
  #endLate(now: number): void {
    for (const [socket, reading] of this.#readings) {
      const waited = now - reading.since
      if (reading.frame !== null && waited >= FIRST_FRAME_MS) {
        this.#arrived(socket, reading, { isUpgrade: true, document: null })
      }
      if (reading.frame !== null || waited < this.#options.timeouts.headersMs) continue
      this.#forget(socket)
      socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', () => socket.destroy())
    }
  }
}

/**
 * Pausing the stream is not enough: its handle goes on reading until a buffer is full, and what it reads here the worker
 * never sees. Measured without: 33 of 24,000 connections hung; with: none. Node does not document the handle.
 */
function stopReading(socket: Socket): void {
  socket.pause()
  socket.removeAllListeners('data')
  socket.removeAllListeners('end')
  const { _handle: handle } = socket as { readonly _handle?: { readStop?: () => void } | null }
  handle?.readStop?.()
}
