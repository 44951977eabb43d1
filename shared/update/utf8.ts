/** The length in UTF-16 units of the UTF-8 text in `bytes` from `start` to `end`; -1 if it is not well-formed. */
export function utf16Length(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (bytes[at] as number) < 0x80) at++
  let units = at - start
  while (at < end) {
    const size = sequenceLength(bytes, at, end)
    if (size === 0) return -1
    at += size
    units += size === 4 ? 2 : 1
  }
  return units
}

/** Bytes of the character at `at`, 0 if malformed. */
function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number
  if (lead < 0x80) return 1
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  if (lead < 0xc2 || lead > 0xf4 || at + size > end || !isSecond(lead, bytes[at + 1] as number)) return 0
  if (size > 2 && !isContinuation(bytes[at + 2] as number)) return 0
  return size > 3 && !isContinuation(bytes[at + 3] as number) ? 0 : size
}

/** Unicode 15, table 3-7: the second byte is what excludes overlong forms, surrogates and everything past U+10FFFF. */
function isSecond(lead: number, byte: number): boolean {
  switch (lead) {
    case 0xe0:
      return byte >= 0xa0 && byte <= 0xbf
    case 0xed:
      return byte >= 0x80 && byte <= 0x9f
    case 0xf0:
      return byte >= 0x90 && byte <= 0xbf
    case 0xf4:
      return byte >= 0x80 && byte <= 0x8f
    default:
      return isContinuation(byte)
  }
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80
}
