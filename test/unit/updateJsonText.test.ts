import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { ByteReader } from '../../shared/update/byteReader.ts'
import { checkJson } from '../../shared/update/jsonText.ts'

function accepts(text: string): boolean {
  const reader = new ByteReader(new TextEncoder().encode(text), (message) => {
    throw new SyntaxError(message)
  })
  try {
    checkJson(reader, 1000)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const fragments = [
  ...'{}[],:"\\019-+.eEaf \n\t\r\v\u0000\u007f\ufeff\u2028ü'.split(''),
  '\\u',
  '00',
  '😀',
  'true',
  'false',
  'null',
  '""',
  '"a"',
  '1e5',
]

it('accepts what JSON.parse accepts and nothing else, over arrangements of tokens', () => {
  const arrangement = fc.array(fc.constantFrom(...fragments), { maxLength: 9 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(arrangement, (text) => accepts(text) === parses(text)),
    { numRuns: 20_000 },
  )
})

it('accepts what JSON.stringify writes, spaced or not, and refuses it cut short', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(0, 1, '\t'), fc.nat(), (value, space, cut) => {
      const text = JSON.stringify(value, null, space)
      expect(accepts(text)).toBe(true)
      const part = text.slice(0, cut % text.length)
      expect(accepts(part)).toBe(parses(part))
    }),
  )
})

it('reads numbers as JSON.parse does', () => {
  for (const text of ['-', '-0', '00', '1.', '.5', '1.5e', '1e+', '1E-7', '-1.25e+10', '1e999', '0x1', '+1', '1_0']) {
    expect(accepts(text), text).toBe(parses(text))
  }
})
