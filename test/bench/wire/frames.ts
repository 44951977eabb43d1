import { createHash } from 'node:crypto'

/** WebSocket (RFC 6455) opcodes the benchmark meets. */
export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Any key is legal; one fixed key lets frames be masked before the clock starts. */
const MASK = Uint8Array.of(0x5a, 0xc3, 0x17, 0x8e)
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The header value that answers a `Sec-WebSocket-Key`. */
export function acceptValue(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64')
}

function headerLength(bytes: number): number {
  if (bytes < 126) return 6
  return bytes < 65_536 ? 8 : 14
}

/** One complete masked client frame: `fin|opcode`, `mask|length`, key, masked payload. */
export function clientFrame(payload: Uint8Array, opcode: number = OPCODE.binary): Buffer {
  const header = headerLength(payload.length)
  const frame = Buffer.allocUnsafe(header + payload.length)
  frame[0] = FIN | opcode
  if (header === 6) {
    frame[1] = 0x80 | payload.length
  } else if (header === 8) {
    frame[1] = 0x80 | 126
    frame.writeUInt16BE(payload.length, 2)
  } else {
    frame[1] = 0x80 | 127
    frame.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  frame.set(MASK, header - 4)
  for (let i = 0; i < payload.length; i++) frame[header + i] = (payload[i] ?? 0) ^ (MASK[i & 3] ?? 0)
  return frame
}

/** `first` is the frame's first byte: `FIN` (the highest bit) and the opcode. */
export type FrameSink = (first: number, source: Buffer, start: number, end: number) => void

export const FIN = 0x80

/** A complete header found in a chunk. */
interface Header {
  readonly first: number
  readonly bodyStart: number
  readonly bodyLength: number
}

function readHeader(chunk: Buffer, at: number, end: number): Header | null {
  if (end - at < 2) return null
  const first = chunk[at] ?? 0
  const short = (chunk[at + 1] ?? 0) & 0x7f
  if (short < 126) return { first, bodyStart: at + 2, bodyLength: short }
  if (short === 126) return end - at < 4 ? null : { first, bodyStart: at + 4, bodyLength: chunk.readUInt16BE(at + 2) }
  if (end - at < 10) return null
  return { first, bodyStart: at + 10, bodyLength: Number(chunk.readBigUInt64BE(at + 2)) }
}

/**
 * Cuts a byte stream into server frames (unmasked), incrementally. A frame that lies within one chunk is handed on without a copy,
 * so the sink must not keep `source`; a larger one is collected in one buffer of its final size.
 */
export class FrameParser {
  private readonly sink: FrameSink
  private rest: Buffer | null = null
  private body: { readonly first: number; readonly bytes: Buffer; filled: number } | null = null

  constructor(sink: FrameSink) {
    this.sink = sink
  }

  push(chunk: Buffer, start: number, end: number): void {
    let at = this.fillBody(chunk, start, end)
    if (this.rest !== null) {
      chunk = Buffer.concat([this.rest, chunk.subarray(at, end)])
      this.rest = null
      at = 0
      end = chunk.length
    }
    while (at < end) {
      const header = readHeader(chunk, at, end)
      if (header === null) {
        this.rest = Buffer.from(chunk.subarray(at, end))
        return
      }
      at = this.takeBody(header, chunk, end)
    }
  }

  private takeBody(header: Header, chunk: Buffer, end: number): number {
    const bodyEnd = header.bodyStart + header.bodyLength
    if (bodyEnd <= end) {
      this.sink(header.first, chunk, header.bodyStart, bodyEnd)
      return bodyEnd
    }
    this.body = { first: header.first, bytes: Buffer.allocUnsafeSlow(header.bodyLength), filled: 0 }
    return this.fillBody(chunk, header.bodyStart, end)
  }

  private fillBody(chunk: Buffer, start: number, end: number): number {
    const body = this.body
    if (body === null) return start
    const taken = Math.min(end - start, body.bytes.length - body.filled)
    chunk.copy(body.bytes, body.filled, start, start + taken)
    body.filled += taken
    if (body.filled === body.bytes.length) {
      this.body = null
      this.sink(body.first, body.bytes, 0, body.bytes.length)
    }
    return start + taken
  }
}
