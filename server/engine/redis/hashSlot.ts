export const SLOTS = 16_384

/** CRC-16/XMODEM, as Redis Cluster uses it: polynomial 0x1021, start 0, nothing reflected. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc
})

/** The slot of a hash tag, or of a key without one. */
export function hashSlot(text: string): number {
  let crc = 0
  for (const byte of Buffer.from(text, 'utf8')) crc = ((crc << 8) ^ (table[((crc >> 8) ^ byte) & 0xff] ?? 0)) & 0xffff
  return crc % SLOTS
}
