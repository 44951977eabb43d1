import { randomBytes } from 'node:crypto'

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  /** Last fragment of its message; default true. */
  readonly fin?: boolean
  /** Default true, as RFC 6455 demands of clients. */
  readonly masked?: boolean
  /** The three reserved bits, as they stand in the first byte. */
  readonly reserved?: number
  /** What the header announces instead of the payload's own length. */
  readonly announced?: number
}

function lengthField(length: number, masked: boolean): Buffer {
  const bit = masked ? 0x80 : 0
  if (length < 126) return Buffer.from([bit | length])
  if (length <= 0xffff) return Buffer.from([bit | 126, length >> 8, length & 0xff])
  const field = Buffer.alloc(9)
  field[0] = bit | 127
  field.writeBigUInt64BE(BigInt(length), 1)
  return field
}

/** Any WebSocket frame, also one that no correct client would send. */
export function encodeFrame(opcode: number, payload: Uint8Array, options: FrameOptions = {}): Buffer {
  const { fin = true, masked = true, reserved = 0, announced = payload.length } = options
  const first = Buffer.from([(fin ? 0x80 : 0) | reserved | opcode])
  if (!masked) return Buffer.concat([first, lengthField(announced, false), payload])
  const mask = randomBytes(4)
  const body = Buffer.from(payload)
  for (let index = 0; index < body.length; index += 1) body[index] = (body[index] ?? 0) ^ (mask[index & 3] ?? 0)
  return Buffer.concat([first, lengthField(announced, true), mask, body])
}

export interface Frame {
  readonly fin: boolean
  readonly opcode: number
  readonly masked: boolean
  readonly payload: Buffer
}

/** Cuts what a server sends into frames. */
export class FrameDecoder {
  #chunks: Buffer[] = []
  #bytes = 0
  #needed = 2

  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    const frames: Frame[] = []
    // Joined only when a frame may be complete, or long frames would cost quadratic time.
    while (this.#bytes >= this.#needed) {
      const joined = this.#chunks.length === 1 ? (this.#chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#chunks)
      this.#chunks = [joined]
      const frame = this.#take(joined)
      if (frame === null) break
      frames.push(frame)
    }
    return frames
  }

  #take(bytes: Buffer): Frame | null {
    const short = (bytes[1] ?? 0) & 0x7f
    const headerLength = short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < headerLength) return this.#wait(headerLength)
    const length = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    const end = headerLength + length
    if (bytes.length < end) return this.#wait(end)
    this.#chunks = [bytes.subarray(end)]
    this.#bytes = bytes.length - end
    this.#needed = 2
    const first = bytes[0] ?? 0
    const masked = ((bytes[1] ?? 0) & 0x80) !== 0
    return { fin: (first & 0x80) !== 0, opcode: first & 0x0f, masked, payload: bytes.subarray(headerLength, end) }
  }

  #wait(needed: number): null {
    this.#needed = needed
    return null
  }
}
