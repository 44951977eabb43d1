import type { ByteReader } from './byteReader.ts'

const QUOTE = 0x22
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const OPEN_ARRAY = 0x5b
const BACKSLASH = 0x5c
const CLOSE_ARRAY = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const SIMPLE_ESCAPES = '"\\/bfnrt'

/**
 * Checks that everything `reader` holds is one JSON text exactly as `JSON.parse` accepts it, nested at most `maxDepth`
 * deep, without building it. Expects valid UTF-8. Calls `reader.fail` otherwise.
 */
export function checkJson(reader: ByteReader, maxDepth: number): void {
  value(reader, maxDepth)
  skipSpace(reader)
  if (reader.remaining > 0) reader.fail('has JSON followed by something else')
}

function value(reader: ByteReader, depth: number): void {
  skipSpace(reader)
  const first = reader.byte()
  if (first === QUOTE) string(reader)
  else if (first === OPEN_OBJECT) object(reader, depth)
  else if (first === OPEN_ARRAY) array(reader, depth)
  else if (first === MINUS) number(reader, reader.byte())
  else if (isDigit(first)) number(reader, first)
  else literal(reader, first)
}

function object(reader: ByteReader, depth: number): void {
  if (depth === 0) reader.fail('has JSON nested too deeply')
  skipSpace(reader)
  if (take(reader, CLOSE_OBJECT)) return
  do {
    skipSpace(reader)
    expect(reader, QUOTE)
    string(reader)
    skipSpace(reader)
    expect(reader, COLON)
    value(reader, depth - 1)
    skipSpace(reader)
  } while (take(reader, COMMA))
  expect(reader, CLOSE_OBJECT)
}

function array(reader: ByteReader, depth: number): void {
  if (depth === 0) reader.fail('has JSON nested too deeply')
  skipSpace(reader)
  if (take(reader, CLOSE_ARRAY)) return
  do {
    value(reader, depth - 1)
    skipSpace(reader)
  } while (take(reader, COMMA))
  expect(reader, CLOSE_ARRAY)
}

function string(reader: ByteReader): void {
  for (let byte = reader.byte(); byte !== QUOTE; byte = reader.byte()) {
    if (byte < 0x20) reader.fail('has a control character in JSON')
    if (byte === BACKSLASH) escape(reader)
  }
}

function escape(reader: ByteReader): void {
  const escaped = String.fromCharCode(reader.byte())
  if (SIMPLE_ESCAPES.includes(escaped)) return
  if (escaped !== 'u') reader.fail('has an unknown escape in JSON')
  for (let i = 0; i < 4; i++) {
    if (!isHexDigit(reader.byte())) reader.fail('has an unfinished escape in JSON')
  }
}

function number(reader: ByteReader, first: number): void {
  if (!isDigit(first)) reader.fail('has a number that is not JSON')
  if (first !== ZERO) skipDigits(reader)
  if (take(reader, DOT)) someDigits(reader)
  if ((reader.peek() | 0x20) === 0x65) {
    reader.position++
    if (reader.peek() === 0x2b || reader.peek() === MINUS) reader.position++
    someDigits(reader)
  }
}

function literal(reader: ByteReader, first: number): void {
  const word = first === 0x74 ? 'true' : first === 0x66 ? 'false' : 'null'
  reader.skip(word.length - 1)
  if (!reader.follows(word)) reader.fail('has something that is not JSON')
}

function someDigits(reader: ByteReader): void {
  if (!isDigit(reader.byte())) reader.fail('has a number that is not JSON')
  skipDigits(reader)
}

function skipDigits(reader: ByteReader): void {
  while (isDigit(reader.peek())) reader.position++
}

function skipSpace(reader: ByteReader): void {
  for (
    let byte = reader.peek();
    byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
    byte = reader.peek()
  ) {
    reader.position++
  }
}

function take(reader: ByteReader, wanted: number): boolean {
  if (reader.peek() !== wanted) return false
  reader.position++
  return true
}

function expect(reader: ByteReader, wanted: number): void {
  if (!take(reader, wanted)) reader.fail(`has JSON without the expected "${String.fromCharCode(wanted)}"`)
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= 0x39
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66)
}
