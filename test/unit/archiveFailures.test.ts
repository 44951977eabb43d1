import { expect, test } from 'vitest'
import { isUnreachable as isDatabaseUnreachable } from '../../server/engine/archive/postgres/failures.ts'
import {
  isUnreachable as isStoreUnreachable,
  NoAnswerError,
  RefusedError,
} from '../../server/engine/archive/s3/failures.ts'

const withCode = (code: string): Error => Object.assign(new Error(code), { code })

test.each([
  'ECONNREFUSED ETIMEDOUT EAI_AGAIN ENETUNREACH 08006 57P03 53300 57014'.split(' ').map(withCode),
  ['Connection terminated due to connection timeout', 'Query read timeout'].map((text) => new Error(text)),
])('a database that does not answer, or cannot now, is away', (...errors) => {
  expect(errors.filter((error) => !isDatabaseUnreachable(error))).toEqual([])
})

test('one that refuses us, a name that nobody knows and a wrong certificate are not', () => {
  const codes = 'ENOTFOUND 28P01 28000 3D000 42501 25006 CERT_HAS_EXPIRED ERR_INVALID_URL'
  expect(codes.split(' ').map(withCode).filter(isDatabaseUnreachable)).toEqual([])
  expect([new Error('SASL: whatever'), undefined].filter(isDatabaseUnreachable)).toEqual([])
})

test('so it is with a store, where the reason is in the cause', () => {
  const fetchFailed = (code: string): Error => new TypeError('fetch failed', { cause: withCode(code) })
  const away = [fetchFailed('ECONNREFUSED'), fetchFailed('EAI_AGAIN'), new NoAnswerError(), new RefusedError(503, '')]
  expect(away.map(isStoreUnreachable)).toEqual(away.map(() => true))
  const wrong = [
    fetchFailed('ENOTFOUND'),
    fetchFailed('CERT_HAS_EXPIRED'),
    new RefusedError(403, ''),
    new Error('html'),
  ]
  expect(wrong.map(isStoreUnreachable)).toEqual(wrong.map(() => false))
})
