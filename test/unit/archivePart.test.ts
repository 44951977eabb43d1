import { describe, expect, test } from 'vitest'
import { StorageError } from '../../shared/errors.ts'
import { decodePart, encodePart, isNewer, newReference } from '../../server/engine/archive/part.ts'

const reference = newReference()
const part = { state: Uint8Array.of(1, 2, 3), stateVector: Uint8Array.of(4, 5) }
const encoded = (): Buffer => encodePart('日本', reference, part)

function refusal(document: string, of: string, bytes: Buffer): string {
  try {
    decodePart(document, of, bytes)
  } catch (error) {
    if (error instanceof StorageError && error.code === 'ARCHIVE_DAMAGED') return error.message
    throw error
  }
  return 'accepted'
}

describe('the bytes of an archived part', () => {
  test('layout: version, checksum, name, state vector, state', () => {
    const bytes = encoded()
    expect(bytes[0]).toBe(1)
    expect(bytes.subarray(5).toString('hex')).toBe('0006e697a5e69cac000000020405010203')
    expect(decodePart('日本', reference, bytes)).toEqual({
      state: Buffer.from(part.state),
      stateVector: Buffer.from(part.stateVector),
    })
  })

  test('every flipped bit and every cut is seen', () => {
    const bytes = encoded()
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const damaged = encoded()
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(refusal('日本', reference, damaged), `bit ${String(bit)}`).not.toBe('accepted')
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(refusal('日本', reference, bytes.subarray(0, length)), `${String(length)} bytes`).not.toBe('accepted')
    }
  })

  test('a part is not taken for one of another document, nor for another part of the same', () => {
    expect(refusal('other', reference, encoded())).toMatch(/it is a part of "日本"/)
    expect(refusal('日本', newReference(), encoded())).toMatch(/its checksum is wrong/)
  })

  test('references are ordered by time alone, and nothing is newer than what is no reference', () => {
    const at = (time: string, rest: string): string => time.padStart(14, '0') + rest.repeat(18)
    expect([isNewer(at('a1', '0'), at('a0', 'f')), isNewer(at('a0', 'f'), at('a0', '0'))]).toEqual([true, false])
    expect([isNewer(reference, ''), isNewer('f'.repeat(33), reference)]).toEqual([false, false])
  })

  test('a part of a later version is not guessed at', () => {
    const later = encoded()
    later[0] = 2
    expect(refusal('日本', reference, later)).toMatch(/unknown version 2/)
  })
})
