/** CRC-32C (Castagnoli), reflected polynomial: what LevelDB uses in its own files. Node has only CRC-32 natively. */
const POLYNOMIAL = 0x82f63b78

const table = new Int32Array(256).map((_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
  return value
})

/** Adds one byte to a running register (start with ~0, finish with ~). */
export function stepCrc32c(register: number, byte: number): number {
  return (table[(register ^ byte) & 0xff] ?? 0) ^ (register >>> 8)
}

export function crc32c(bytes: Uint8Array): number {
  let register = ~0
  for (const byte of bytes) register = stepCrc32c(register, byte)
  return ~register >>> 0
}

/** LevelDB stores checksums rotated and offset, because it computes checksums of data that contains checksums. */
export function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
