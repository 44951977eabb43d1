import type { Socket } from 'node:net'
import type { Clock } from '../../clock.ts'
import { HEADER_BYTES, LENGTH_BYTES } from './frames.ts'

/** Frames are put together in buffers of this size. */
const BUFFER_BYTES = 64 * 1024
/** What is longer is not copied: it leaves as it is. */
const BY_REFERENCE_BYTES = 16 * 1024
/** UTF-8 takes at most three bytes for a UTF-16 unit. */
const MAX_UNIT_BYTES = 3
const MAX_TEXT_BYTES = 0xffff

/**
 * What is still to be sent over one socket. A frame is written field by field, from `begin` to `end`; all frames of one
 * turn of the event loop leave in one write. Long fields are sent from the memory they are in: they must not be changed
 * before the other side has answered.
 */
export class Outlet {
  readonly #socket: Socket
  readonly #clock: Pick<Clock, 'endOfTurn'>
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES)
  /** What of the buffer belongs to no chunk yet: from `#start` to `#end`. */
  #start = 0
  #end = 0
  #chunks: Uint8Array[] = []
  #queued = 0
  /** Of the frame being written: where its length goes, and how many bytes were queued before it. */
  #head = this.#buffer
  #headAt = 0
  #queuedBefore = 0
  #scheduled = false

  /** @param onDrain called when the kernel takes more again, after it has been given what waited */
  constructor(socket: Socket, clock: Pick<Clock, 'endOfTurn'>, onDrain: () => void = () => {}) {
    this.#socket = socket
    this.#clock = clock
    socket.on('drain', () => {
      this.#flush()
      onDrain()
    })
  }

  /** Bytes that the kernel has not taken yet. */
  get backlog(): number {
    return this.#queued + this.#socket.writableLength
  }

  begin(type: number, id: number): this {
    this.#reserve(LENGTH_BYTES + HEADER_BYTES)
    this.#head = this.#buffer
    this.#headAt = this.#end
    this.#queuedBefore = this.#queued
    this.#advance(LENGTH_BYTES)
    return this.byte(type).uint32(id)
  }

  byte(value: number): this {
    this.#reserve(1)
    this.#buffer[this.#end] = value
    return this.#advance(1)
  }

  flag(value: boolean): this {
    return this.byte(value ? 1 : 0)
  }

  uint32(value: number): this {
    this.#reserve(4)
    this.#buffer.writeUInt32BE(value, this.#end)
    return this.#advance(4)
  }

  /** At most 65,535 bytes; a longer one, which only the message of an error could be, is cut. */
  text(value: string): this {
    this.#reserve(2 + Math.min(value.length * MAX_UNIT_BYTES, MAX_TEXT_BYTES))
    const length = this.#buffer.write(value, this.#end + 2, MAX_TEXT_BYTES, 'utf8')
    this.#buffer.writeUInt16BE(length, this.#end)
    return this.#advance(2 + length)
  }

  cursor(value: string | null): this {
    return this.text(value ?? '')
  }

  bytes(value: Uint8Array): this {
    return this.uint32(value.length).rest(value)
  }

  /** Up to the end of the frame. */
  rest(value: Uint8Array): this {
    return value.length > BY_REFERENCE_BYTES ? this.#refer(value) : this.copy(value)
  }

  /** The same, for bytes that may be changed as soon as this returns. */
  copy(value: Uint8Array): this {
    this.#reserve(value.length)
    this.#buffer.set(value, this.#end)
    return this.#advance(value.length)
  }

  end(): void {
    this.#head.writeUInt32BE(this.#queued - this.#queuedBefore - LENGTH_BYTES, this.#headAt)
    if (this.#scheduled) return
    this.#scheduled = true
    this.#clock.endOfTurn(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  /** Sends what is queued, then the end of the stream. */
  close(): void {
    this.#flush()
    this.#socket.end()
  }

  /** The kernel is given more only when it has taken what it has, so that what waits here can be counted. */
  #flush(): void {
    if (this.#queued === 0 || this.#socket.writableNeedDrain || this.#socket.destroyed) return
    this.#cut()
    const chunks = this.#chunks
    this.#chunks = []
    this.#queued = 0
    this.#socket.cork()
    for (const chunk of chunks) this.#socket.write(chunk)
    this.#socket.uncork()
  }

  #advance(bytes: number): this {
    this.#end += bytes
    this.#queued += bytes
    return this
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return
    this.#cut()
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(BUFFER_BYTES, bytes))
    this.#start = 0
    this.#end = 0
  }

  #refer(value: Uint8Array): this {
    this.#cut()
    this.#chunks.push(value)
    this.#queued += value.length
    return this
  }

  #cut(): void {
    if (this.#end > this.#start) this.#chunks.push(this.#buffer.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}
