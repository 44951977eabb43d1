import { describe, expect, test } from 'vitest'
import { completeLimits } from '../../server/options/limits.ts'
import { InvalidOptionError } from '../../shared/errors.ts'
import { defaultLimits } from '../../shared/limits.ts'
import { helpText } from '../../server/options/describe.ts'
import { completeOptions, parseOptions } from '../../server/options/parse.ts'
import type { Environment, Flags } from '../../server/options/parse.ts'
import { optionNames, optionTable } from '../../server/options/table.ts'

function refusal(flags: Flags, env: Environment = {}): string {
  try {
    parseOptions({ flags, env })
  } catch (error) {
    if (error instanceof InvalidOptionError) return error.message
    throw error
  }
  return 'accepted'
}

describe('options: precedence', () => {
  test('nothing given: the defaults, on loopback and durable', () => {
    const { options } = parseOptions({ flags: {}, env: {} })
    expect(options).toMatchObject({ port: 1234, host: '127.0.0.1', dataDir: './data', durability: 'fsync', demo: true })
  })

  test('a flag wins over the environment, the environment over the default, and each knows its source', () => {
    const env = { SCRIPTORIUM_PORT: '2000', SCRIPTORIUM_HOST: '::1' }
    const { options, sources } = parseOptions({ flags: { port: '3000' }, env })
    expect(options).toMatchObject({ port: 3000, host: '::1' })
    expect(sources).toMatchObject({ port: '--port', host: 'SCRIPTORIUM_HOST', dataDir: 'default' })
  })

  test('our own variable wins over the alias; each alias works alone', () => {
    expect(parseOptions({ flags: {}, env: { PORT: '1', SCRIPTORIUM_PORT: '2' } }).options.port).toBe(2)
    const env = { PORT: '1', HOST: 'localhost', YPERSISTENCE: '/var/yjs', LOG_LEVEL: 'warn' }
    const expected = { port: 1, host: 'localhost', dataDir: '/var/yjs', logLevel: 'warn' }
    expect(parseOptions({ flags: {}, env }).options).toMatchObject(expected)
  })

  test('an empty environment variable counts as not set', () => {
    expect(parseOptions({ flags: {}, env: { SCRIPTORIUM_PORT: '', PORT: '7' } }).options.port).toBe(7)
  })

  test.each(['on', 'true', 'YES', '1'])('a switch in the environment may say %s', (word) => {
    expect(parseOptions({ flags: {}, env: { SCRIPTORIUM_DEMO: word } }).options.demo).toBe(true)
  })

  test.each(['off', 'false', 'No', '0'])('a switch in the environment may say %s', (word) => {
    expect(parseOptions({ flags: {}, env: { SCRIPTORIUM_DEMO: word } }).options.demo).toBe(false)
  })
})

describe('options: wrong values are refused in one sentence that names what the user wrote', () => {
  test('a flag', () => {
    expect(refusal({ port: 'abc' })).toBe('--port must be a whole number from 0 to 65535, not "abc".')
  })

  test('one that may hold a password is not repeated', () => {
    const examples = 'postgres://user:password@host:5432/database or s3://key:secret@host/bucket'
    const sentence = `--archive must be an address such as ${examples}.`
    for (const archive of ['mysql://me:secret@host/a', 'me:secret@host', 'postgres://me:secret@host:x/a']) {
      expect(refusal({ archive })).toBe(sentence)
    }
    for (const archive of [
      '',
      'postgres://host/a',
      'postgresql://me:secret@[::1]:5432/a?sslmode=require',
      's3://k:s@host/a',
    ]) {
      expect(refusal({ archive, redis: 'redis://a' })).toBe('accepted')
    }
    expect(refusal({ redis: 'redis://me:secret@a:x' })).toMatch(/^--redis must be redis:\/\/(?!.*secret)/)
  })

  test('Redis: an address of each kind, a prefix that keeps a document in one slot, an archive only with it', () => {
    for (const redis of ['redis://a', 'rediss://me:pw@a:1/2', 'redis+sentinel://a,b/main', 'redis+cluster://a:1,b:2']) {
      expect(refusal({ redis, redisPrefix: 'team/one:' })).toBe('accepted')
    }
    expect(refusal({ redisPrefix: '{team}:' })).toMatch(/^--redis-prefix must be at most 64 letters/)
    expect(refusal({ archive: 'postgres://a/b' })).toBe(
      '--archive is for documents in Redis: name one with --redis as well.',
    )
  })

  test('an environment variable, own or alias', () => {
    expect(refusal({}, { SCRIPTORIUM_DURABILITY: 'always' })).toBe(
      'SCRIPTORIUM_DURABILITY must be one of fsync, os, memory, not "always".',
    )
    expect(refusal({}, { PORT: '70000' })).toBe('PORT must be a whole number from 0 to 65535, not 70000.')
  })

  test.each(['', ' ', '-1', '1.5', '0x10', '1e3', '12 ', '65536', '99999999999999999999'])('port %j', (port) => {
    expect(refusal({ port })).toMatch(/^--port must be/)
  })

  test.each(['', 'http://localhost', 'localhost:1234', 'a b', '[::1]', '127.0.0.1:80', 'x\n'])('host %j', (host) => {
    expect(refusal({ host })).toMatch(/^--host must be/)
  })

  test.each(['::', '::1', '0.0.0.0', 'localhost', 'fe80::1%eth0', '::ffff:127.0.0.1', 'node-1.example'])(
    'host %j is accepted',
    (host) => {
      expect(refusal({ host })).toBe('accepted')
    },
  )

  test('the data directory must be a path', () => {
    expect(refusal({ dataDir: '' })).toBe('[dir] must be a path, not "".')
  })

  test('what was written cannot forge lines or fill the screen', () => {
    const sentence = refusal({ port: `\n${'9'.repeat(10_000)}` })
    expect(sentence).not.toContain('\n')
    expect(sentence.length).toBeLessThan(200)
  })

  test('createServer: the option is named by its key, and undefined is the default', () => {
    expect(() => completeOptions({ port: 1.5 })).toThrow('The option port must be a whole number')
    expect(() => completeOptions({ port: '80' as unknown as number })).toThrow(InvalidOptionError)
    expect(completeOptions({ port: 0 })).toMatchObject({ port: 0, host: '127.0.0.1' })
  })
})

describe('options: one table', () => {
  test.each(optionNames)('%s: the default is valid and the help names default and environment', (name) => {
    const spec = optionTable[name]
    expect(spec.kind.schema.safeParse(spec.default).success).toBe(true)
    expect(helpText(spec)).toContain(spec.env.join(', '))
    expect(helpText(spec)).toContain('default: ')
  })

  test('no flag and no variable is claimed twice', () => {
    const flags = optionNames.map((name) => optionTable[name].flag.split(' ')[0])
    const variables = optionNames.flatMap((name): readonly string[] => optionTable[name].env)
    expect(new Set(flags).size).toBe(flags.length)
    expect(new Set(variables).size).toBe(variables.length)
  })

  test.each([
    ['maxConnections', -1],
    ['maxConnections', Number.NaN],
    ['maxNameBytes', '512'],
    ['maxName', 1],
  ])('createServer: the limit %s cannot be %s', (name, value) => {
    expect(() => completeLimits({ [name]: value })).toThrow(`limits.${name}`)
  })

  test('createServer: limits that are not given are the defaults', () => {
    expect(completeLimits({ maxConnections: undefined as unknown as number, maxNameBytes: 0 })).toEqual({
      ...defaultLimits,
      maxNameBytes: 0,
    })
  })
})
