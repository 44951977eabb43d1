import type { ArchiveReference } from '../archive.ts'

/**
 * Key of a part: <prefix> "parts1/" <name> "/" <reference>, the name in base32hex (RFC 4648, without padding).
 *
 * Five bits per character, of an alphabet in ASCII order that begins after "/": so keys sort as the bytes of the names do,
 * a name before all that begin with it, and nothing in a key needs escaping. 512 bytes become 820 characters; with the
 * reference that leaves 163 of the 1,024 a key may have for the prefix.
 */
const LAYOUT = 'parts1/'
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUV'
export const MAX_PREFIX_LENGTH = 163

export function folderOf(prefix: string, document: string): string {
  return `${prefix}${LAYOUT}${encodeName(Buffer.from(document, 'utf8'))}/`
}

export function keyOf(prefix: string, document: string, reference: ArchiveReference): string {
  return folderOf(prefix, document) + reference
}

/** What all folders of names that begin with `namePrefix` begin with, and some others: whole characters only. */
export function foldersOf(prefix: string, namePrefix: string): string {
  const bytes = Buffer.from(namePrefix, 'utf8')
  return prefix + LAYOUT + encodeName(bytes).slice(0, Math.floor((bytes.length * 8) / 5))
}

/** The name whose folder this is, or null when it is none of ours. */
export function nameOf(prefix: string, folder: string): string | null {
  const encoded = folder.slice(prefix.length + LAYOUT.length, -1)
  const bytes = decodeName(encoded)
  return bytes !== null && encodeName(bytes) === encoded ? bytes.toString('utf8') : null
}

function encodeName(bytes: Uint8Array): string {
  let text = ''
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET.charAt((buffer >> (bits - 5)) & 31)
  }
  return bits === 0 ? text : text + ALPHABET.charAt((buffer << (5 - bits)) & 31)
}

function decodeName(text: string): Buffer | null {
  const bytes: number[] = []
  let buffer = 0
  let bits = 0
  for (const character of text) {
    const value = ALPHABET.indexOf(character)
    if (value === -1) return null
    buffer = ((buffer << 5) | value) & 0xfff
    bits += 5
    if (bits < 8) continue
    bits -= 8
    bytes.push((buffer >> bits) & 255)
  }
  return Buffer.from(bytes)
}
