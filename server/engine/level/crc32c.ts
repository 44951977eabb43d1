/** CRC-32C (Castagnoli), reflected polynomial: what LevelDB uses in its own files. Node has only CRC-32 natively. */
const POLYNOMIAL = 0x82f63b78
const SLICES = 8

/** `tables[k * 256 + b]`: what byte `b` contributes when `k` more bytes follow it. Eight bytes per step: 1 GB/s, not 0.4. */
const tables = makeTables()

function makeTables(): Int32Array {
  const made = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    made[byte] = value
  }
  for (let index = 256; index < made.length; index++) {
    const before = made[index - 256] ?? 0
    made[index] = (before >>> 8) ^ (made[before & 0xff] ?? 0)
  }
  return made
}

function lookup(slice: number, byte: number): number {
  return tables[slice * 256 + (byte & 0xff)] ?? 0
}

/** Adds one byte to a running register (start with ~0, finish with ~). */
export function stepCrc32c(register: number, byte: number): number {
  return lookup(0, register ^ byte) ^ (register >>> 8)
}

export function crc32c(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bulk = bytes.length - (bytes.length % SLICES)
  let register = ~0
  for (let offset = 0; offset < bulk; offset += SLICES) {
    const low = register ^ view.getInt32(offset, true)
    const high = view.getInt32(offset + 4, true)
    register =
      lookup(7, low) ^
      lookup(6, low >>> 8) ^
      lookup(5, low >>> 16) ^
      lookup(4, low >>> 24) ^
      lookup(3, high) ^
      lookup(2, high >>> 8) ^
      lookup(1, high >>> 16) ^
      lookup(0, high >>> 24)
  }
  for (let offset = bulk; offset < bytes.length; offset++) register = stepCrc32c(register, view.getUint8(offset))
  return ~register >>> 0
}

/** LevelDB stores checksums rotated and offset, because it computes checksums of data that contains checksums. */
export function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
