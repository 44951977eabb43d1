/** One WebSocket frame as a client's parser sees it. */
export interface WireFrame {
  readonly isFinal: boolean
  readonly opcode: number
  readonly payload: Uint8Array
}

/** Reads server frames (not masked, RFC 6455, 5.2) to the last byte; throws on anything half or malformed. */
export function decodeFrames(bytes: Uint8Array): WireFrame[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const frames: WireFrame[] = []
  let at = 0
  while (at < bytes.length) {
    const first = view.getUint8(at)
    const short = view.getUint8(at + 1)
    if ((first & 0x70) !== 0 || short > 127) throw new Error('reserved bits or mask')
    const header = short < 126 ? 2 : short === 126 ? 4 : 10
    const length = short < 126 ? short : short === 126 ? view.getUint16(at + 2) : Number(view.getBigUint64(at + 2))
    const end = at + header + length
    if (end > bytes.length) throw new Error('frame is cut off')
    frames.push({ isFinal: (first & 0x80) !== 0, opcode: first & 0x0f, payload: bytes.slice(at + header, end) })
    at = end
  }
  return frames
}

/** The messages these frames make; fragments are joined, and interleaved or unfinished messages throw. */
export function decodeMessages(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = []
  let open: Uint8Array[] | null = null
  for (const { isFinal, opcode, payload } of decodeFrames(bytes)) {
    if ((opcode === 0) !== (open !== null)) throw new Error('fragments of two messages are mixed')
    const parts: Uint8Array[] = open ?? []
    parts.push(payload)
    open = isFinal ? null : parts
    if (isFinal) messages.push(Buffer.concat(parts))
  }
  if (open !== null) throw new Error('message is not finished')
  return messages
}
