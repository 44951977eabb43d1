/** Opcodes of the first byte; FIN is its highest bit. */
const FIN = 0x80
const BINARY = 0x02
const CONTINUATION = 0x00
/** Payloads up to these lengths fit the 7-bit and the 16-bit length field (RFC 6455, 5.2). */
const MAX_SHORT = 125
const MAX_MEDIUM = 0xffff
/** Header of a fragment: two bytes and a 64-bit length. */
const LONG_HEADER = 10

/**
 * Payload bytes of one fragment of a long message, 256 KiB. Long messages are fragmented so that pings and close frames
 * may pass between the pieces, and so that a slow reader's progress can be seen.
 */
export const FRAGMENT_PAYLOAD = 256 * 1024
/** Bytes of such a fragment on the wire, header included: where a long message may be cut. */
export const FRAGMENT_BYTES = FRAGMENT_PAYLOAD + LONG_HEADER

function writeHeader(target: Uint8Array, first: number, length: number): number {
  target[0] = first
  if (length <= MAX_SHORT) {
    target[1] = length
    return 2
  }
  const view = new DataView(target.buffer, target.byteOffset)
  if (length <= MAX_MEDIUM) {
    target[1] = 126
    view.setUint16(2, length)
    return 4
  }
  target[1] = 127
  view.setBigUint64(2, BigInt(length))
  return LONG_HEADER
}

function headerLength(length: number): number {
  return length <= MAX_SHORT ? 2 : length <= MAX_MEDIUM ? 4 : LONG_HEADER
}

/**
 * One binary WebSocket message from server to client (not masked), ready for the socket: built once and written to
 * many. `prefix` and `message` are its payload, one after the other. Messages above 256 KiB come as several fragments
 * of `FRAGMENT_BYTES` each, in one array.
 */
export function encodeFrame(prefix: Uint8Array, message: Uint8Array): Uint8Array {
  const length = prefix.length + message.length
  if (length > FRAGMENT_PAYLOAD) return encodeFragments(prefix, message)
  const frame = Buffer.allocUnsafe(headerLength(length) + length)
  const start = writeHeader(frame, FIN | BINARY, length)
  frame.set(prefix, start)
  frame.set(message, start + prefix.length)
  return frame
}

function encodeFragments(prefix: Uint8Array, message: Uint8Array): Uint8Array {
  const payload = Buffer.concat([prefix, message])
  const pieces: Uint8Array[] = []
  for (let start = 0; start < payload.length; start += FRAGMENT_PAYLOAD) {
    const piece = payload.subarray(start, start + FRAGMENT_PAYLOAD)
    const isLast = start + FRAGMENT_PAYLOAD >= payload.length
    const header = Buffer.allocUnsafe(headerLength(piece.length))
    writeHeader(header, (isLast ? FIN : 0) | (start === 0 ? BINARY : CONTINUATION), piece.length)
    pieces.push(header, piece)
  }
  return Buffer.concat(pieces)
}

/** Whether this is the beginning of a fragmented message, which may be cut every `FRAGMENT_BYTES`. */
export function isFragmented(frame: Uint8Array): boolean {
  return frame[0] === BINARY
}
