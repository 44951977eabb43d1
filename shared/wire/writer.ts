import { encodeUtf8 } from 'lib0/string'

/** Bytes a varUint takes. */
export function varUintLength(value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length += 1
  return length
}

/** Writes a varUint and returns the position after it. */
export function writeVarUint(target: Uint8Array, position: number, value: number): number {
  let at = position
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    target[at] = 0x80 | (rest % 0x80)
    at += 1
  }
  target[at] = rest
  return at + 1
}

export function encodeVarUint(value: number): Uint8Array {
  const bytes = new Uint8Array(varUintLength(value))
  writeVarUint(bytes, 0, value)
  return bytes
}

/** varUint length + UTF-8. */
export function encodeString(text: string): Uint8Array {
  return encodeBuffer([], encodeUtf8(text))
}

/** `head` as varUints, then the payload with its length in front: the shape of almost every message. */
export function encodeBuffer(head: readonly number[], payload: Uint8Array): Uint8Array {
  let size = varUintLength(payload.length) + payload.length
  for (const value of head) size += varUintLength(value)
  const bytes = new Uint8Array(size)
  let position = 0
  for (const value of head) position = writeVarUint(bytes, position, value)
  position = writeVarUint(bytes, position, payload.length)
  bytes.set(payload, position)
  return bytes
}
