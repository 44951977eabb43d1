import { createHash } from 'node:crypto'

/** RFC 6455, 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const BINARY_AND_LAST = 0x82
const MASKED = 0x80
/** Bytes of a document's address that are looked at: a name, and what may follow it. */
const MAX_ADDRESS_BYTES = 1024
/** No more of a frame than this has to be read to know the document: header, mask, length, address. */
export const MAX_FRAME_START_BYTES = 10 + 4 + 2 + MAX_ADDRESS_BYTES

/** The answer to a handshake that asks for nothing but a WebSocket; `key` is what it came with. */
export function handshakeAnswer(key: string): string {
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
  )
}

export type FirstFrame =
  | { readonly kind: 'incomplete' }
  /** The document it is about; null: it does not tell, or is for its worker to refuse. */
  | { readonly kind: 'read'; readonly document: string | null }

/**
 * The document that a client's first frame is about, when it begins with an address as Hocuspocus has it: varUint
 * length, name in UTF-8, perhaps `00` and more. `bytes` is what has been read of the frame so far.
 */
export function readFirstFrame(bytes: Uint8Array): FirstFrame {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return { kind: 'incomplete' }
  if (first !== BINARY_AND_LAST || (second & MASKED) === 0) return unknown
  const short = second & ~MASKED
  const start = 2 + (short < 126 ? 0 : short === 126 ? 2 : 8)
  return readAddress((at) => unmasked(bytes, start, at))
}

const unknown: FirstFrame = { kind: 'read', document: null }

/** Byte `at` of the payload, or null when it is not here yet. */
function unmasked(bytes: Uint8Array, mask: number, at: number): number | null {
  const masked = bytes[mask + 4 + at]
  const key = bytes[mask + (at & 3)]
  return masked === undefined || key === undefined ? null : masked ^ key
}

function readAddress(byte: (at: number) => number | null): FirstFrame {
  const low = byte(0)
  const high = byte(1)
  if (low === null || high === null) return { kind: 'incomplete' }
  const isLong = low >= 0x80
  const length = isLong ? (low & 0x7f) + high * 0x80 : low
  if (length === 0 || length > MAX_ADDRESS_BYTES) return unknown
  const address = Array.from({ length }, (_, at) => byte((isLong ? 2 : 1) + at))
  if (address.includes(null)) return { kind: 'incomplete' }
  const name = Buffer.from(address.filter((value) => value !== null)).toString('utf8')
  return { kind: 'read', document: name.split('\0', 1)[0] || null }
}
