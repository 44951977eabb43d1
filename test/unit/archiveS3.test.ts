import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAddress } from '../../server/engine/archive/s3/address.ts'
import { folderOf, foldersOf, MAX_PREFIX_LENGTH, nameOf } from '../../server/engine/archive/s3/keys.ts'
import { signedHeaders } from '../../server/engine/archive/s3/signature.ts'

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })

describe('keys of archived parts in S3', () => {
  test('sort as the bytes of the names do, and can be read back', () => {
    fc.assert(
      fc.property(name, name, (left, right) => {
        const [first, second] = [folderOf('a/', left), folderOf('a/', right)]
        const order = Buffer.compare(Buffer.from(left), Buffer.from(right))
        expect(Buffer.compare(Buffer.from(`${first}0`), Buffer.from(`${second}f`))).toBe(order === 0 ? -1 : order)
        expect(nameOf('a/', first)).toBe(left)
      }),
    )
  })

  test('names with one beginning have folders with one beginning', () => {
    fc.assert(
      fc.property(name, name, (beginning, rest) => {
        expect(folderOf('', beginning + rest).startsWith(foldersOf('', beginning))).toBe(true)
      }),
    )
  })

  test('hold nothing that must be escaped, and are short enough for the longest name', () => {
    const longest = folderOf('x'.repeat(MAX_PREFIX_LENGTH), '日'.repeat(170) + 'nn') + '0'.repeat(32)
    expect(longest).toMatch(/^[\w/]+$/)
    expect(longest.length).toBeLessThanOrEqual(1024)
  })

  test('what somebody else put there is no name', () => {
    for (const folder of ['parts1/xyz/', 'parts1/C5/', 'parts1/1/']) expect(nameOf('', folder)).toBeNull()
  })
})

describe('AWS Signature Version 4', () => {
  // The examples of Amazon's documentation ("Authenticating Requests: Using the Authorization Header").
  const credentials = {
    accessKey: 'AKIAIOSFODNN7EXAMPLE',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    region: 'us-east-1',
  }
  const now = new Date(Date.UTC(2013, 4, 24))
  const sign = (query: string): string | undefined => {
    const url = new URL(`https://examplebucket.s3.amazonaws.com/?${query}`)
    return signedHeaders({ method: 'GET', url, body: new Uint8Array(0) }, credentials, now)['authorization']
  }

  test.each([
    ['lifecycle=', 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['max-keys=2&prefix=J', '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
  ])('signs ?%s as documented', (query, signature) => {
    const scope = 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'
    const signed = 'host;x-amz-content-sha256;x-amz-date'
    expect(sign(query)).toBe(`AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=${signed}, Signature=${signature}`)
  })
})

describe('the address of an archive in S3', () => {
  test('names the store, the bucket, a prefix and a region', () => {
    expect(parseAddress('s3://key:se%2Fcret@store.example:9000/bucket/a/b?region=eu-central-1', {})).toEqual({
      endpoint: 'https://store.example:9000',
      bucket: 'bucket',
      prefix: 'a/b/',
      credentials: { accessKey: 'key', secretKey: 'se/cret', region: 'eu-central-1' },
      description: 's3://key@store.example:9000/bucket/a/b',
    })
  })

  test('takes the key from where other programs take it', () => {
    const environment = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't', AWS_REGION: 'r' }
    const { credentials, prefix, endpoint } = parseAddress('s3+http://localhost/bucket', environment)
    expect(credentials).toEqual({ accessKey: 'k', secretKey: 's', sessionToken: 't', region: 'r' })
    expect([endpoint, prefix]).toEqual(['http://localhost', ''])
  })

  test.each([
    ['s3://k:s@host', /must name a bucket/],
    ['s3://k:s@host/UPPER', /must name a bucket/],
    ['s3://host/bucket', /needs a key and a secret.*AWS_ACCESS_KEY_ID/],
    ['s3://k:s@host/bucket/a%20b', /prefix/],
    [`s3://k:s@host/bucket/${'x'.repeat(170)}`, /prefix/],
  ])('%s is refused', (address, sentence) => {
    expect(() => parseAddress(address, {})).toThrow(sentence)
  })
})
