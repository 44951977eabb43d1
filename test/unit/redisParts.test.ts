import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { readRedirection, readSlots } from '../../server/engine/redis/clusterMap.ts'
import { hashSlot } from '../../server/engine/redis/hashSlot.ts'
import { KeySpace } from '../../server/engine/redis/keys.ts'
import { decodeSaid, encodeLeft, encodeMessage } from '../../server/engine/redis/message.ts'
import { appendOf, cursorOf, isLater, parsePlace } from '../../server/engine/redis/redisCursor.ts'
import { checkServer } from '../../server/engine/redis/serverCheck.ts'
import type { Connection, Reply } from '../../server/engine/redis/connection.ts'
import { decodeSnapshot, encodeSnapshot } from '../../server/engine/redis/snapshotCodec.ts'
import { describeTarget, parseTarget } from '../../server/engine/redis/target.ts'
import { RespFrames } from '../support/respFrames.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe('Redis URLs', () => {
  test.each([
    [
      'redis://localhost',
      { mode: 'standalone', tls: false, addresses: [{ host: 'localhost', port: 6379 }], database: 0 },
    ],
    ['rediss://h:1/2', { mode: 'standalone', tls: true, addresses: [{ host: 'h', port: 1 }], database: 2 }],
    ['redis://:p%40ss@[::1]:7', { username: '', password: 'p@ss', addresses: [{ host: '::1', port: 7 }] }],
    ['redis://me:a:b@h/', { username: 'me', password: 'a:b', database: 0 }],
    [
      'redis+sentinel://a,b:1/main/3',
      {
        mode: 'sentinel',
        master: 'main',
        database: 3,
        addresses: [
          { host: 'a', port: 26_379 },
          { host: 'b', port: 1 },
        ],
      },
    ],
    [
      'rediss+cluster://a:1,b:2',
      {
        mode: 'cluster',
        tls: true,
        addresses: [
          { host: 'a', port: 1 },
          { host: 'b', port: 2 },
        ],
      },
    ],
  ])('%s is understood', (url, expected) => {
    expect(parseTarget(url)).toMatchObject(expected)
  })

  test.each([
    'localhost:6379',
    'http://a',
    'redis://',
    'redis://a,b',
    'redis://a:0',
    'redis://a:70000',
    'redis://a/x',
    'redis://a/1/2',
    'redis://a/-1',
    'redis://%zz@a',
    'redis://a?db=1',
    'redis+sentinel://a',
    'redis+sentinel://a/',
    'redis+cluster://a/1',
  ])('%s is refused, with the forms there are', (url) => {
    expect(() => parseTarget(url)).toThrow(/must be redis:\/\//)
  })

  test('what is shown has neither user nor password', () => {
    expect(describeTarget(parseTarget('redis+sentinel://me:s3cret@a,[::1]:9/main/2'))).toBe(
      'redis+sentinel://a:26379,[::1]:9/main/2',
    )
    expect(describeTarget(parseTarget('rediss://:s3cret@a'))).toBe('rediss://a:6379')
    expect(() => parseTarget('redis://me:s3cret@a:x')).toThrow(/^(?!.*s3cret)/)
  })
})

describe('keys', () => {
  test('slots are those of Redis Cluster', () => {
    expect([hashSlot('123456789'), hashSlot('foo'), hashSlot('')]).toEqual([12_739, 12_182, 0])
  })

  test('all keys of a document are in the slot of their tag, and databases have channels of their own', () => {
    const [keys, other] = [new KeySpace('p:').of('ä/b'), new KeySpace('p:', 2).of('ä/b')]
    const tag = /\{([\da-f]{32})\}/.exec(keys.log)?.[1] ?? ''
    expect(hashSlot(tag)).toBe(keys.slot)
    expect([keys.log, keys.meta, keys.channel]).toEqual([`p:{${tag}}:log`, `p:{${tag}}:meta`, `p:{${tag}}:channel`])
    expect([other.log, other.channel]).toEqual([keys.log, `${keys.channel}:2`])
  })
})

describe('cursors', () => {
  test('say where, and which', () => {
    const cursor = cursorOf('1763000000000-12', 'a1b2.z')
    expect(cursor).toBe('1763000000000.a1b2.z-12')
    expect(parsePlace(cursor)).toEqual({ epoch: 1_763_000_000_000, append: 'a1b2.z', sequence: 12 })
    expect(appendOf(cursor)).toBe('a1b2.z')
    for (const wrong of ['', 'elsewhere-1', '1-1', '1.a-1', '1.a.b-0', '1.a.b-x', '1.A.b-1', ' 1.a.b-1']) {
      expect(parsePlace(wrong)).toBe(null)
    }
  })

  test('are ordered by epoch, then by sequence', () => {
    const ordered = ['1.b.0-9', '1.a.0-10', '2.a.0-1', '10.a.0-1']
    for (const [left, one] of ordered.entries()) {
      for (const [right, other] of ordered.entries()) expect(isLater(one, other)).toBe(left > right)
    }
    expect(isLater('1.a.0-1', null)).toBe(true)
  })
})

describe('what is said on channels', () => {
  test('comes back as it was', () => {
    expect(decodeSaid(encodeMessage('n', 'presence', bytes(0, 255)))).toEqual({
      type: 'message',
      message: { from: 'n', kind: 'presence', bytes: Buffer.of(0, 255) },
    })
    expect(decodeSaid(encodeLeft('node'))).toEqual({ type: 'left', node: 'node' })
  })

  test('C122: anything at all is decoded or refused, and never throws', () => {
    const beginning = fc.constantFrom([], [1, 1], [1, 2], [1, 3], [1, 4], [2, 1])
    const message = fc.tuple(beginning, fc.uint8Array({ maxLength: 40 }))
    fc.assert(
      fc.property(message, ([start, rest]) => {
        const said = decodeSaid(Buffer.from([...start, ...rest]))
        expect(said === null || typeof said.type === 'string').toBe(true)
      }),
    )
  })

  test('a text that is longer than its message, and an unknown version, are refused', () => {
    expect(decodeSaid(Buffer.from('\x01\x02\x05ab'))).toBe(null)
    expect(decodeSaid(Buffer.from('\x02\x02\x01a\x01b'))).toBe(null)
    expect(decodeSaid(Buffer.from('\x01\x01\x00\x00'))).toBe(null)
  })
})

describe('snapshots', () => {
  test('come back as they were, and nothing else does', () => {
    const snapshot = { state: bytes(1, 2, 3), stateVector: bytes(9) }
    const encoded = encodeSnapshot(snapshot)
    expect(decodeSnapshot(encoded)).toEqual(snapshot)
    expect(decodeSnapshot(encodeSnapshot({ state: bytes(), stateVector: bytes() }))).toEqual({
      state: bytes(),
      stateVector: bytes(),
    })
    expect(decodeSnapshot(encoded.subarray(0, 5))).toBe(null)
    expect(decodeSnapshot(Buffer.concat([Buffer.of(2), encoded.subarray(1)]))).toBe(null)
  })
})

describe('the map of a cluster', () => {
  const asked = { host: '10.0.0.9', port: 7 }

  test('is read; a node that does not know its host is the one that was asked', () => {
    const node = (host: string | null, port: number): Reply => [
      host === null ? null : Buffer.from(host),
      port,
      Buffer.from('id'),
    ]
    const reply = [
      [0, 99, node('10.0.0.1', 1), node('10.0.0.2', 2)],
      [100, 199, node('', 3)],
      [200, 299, node(null, 4)],
      [300, 399, node('?', 5)],
    ]
    expect(readSlots(reply, asked)).toEqual([
      { start: 0, end: 99, master: { host: '10.0.0.1', port: 1 } },
      { start: 100, end: 199, master: { host: '10.0.0.9', port: 3 } },
      { start: 200, end: 299, master: { host: '10.0.0.9', port: 4 } },
    ])
  })

  test('redirections are read, and other errors are not taken for one', () => {
    expect(readRedirection(new Error('MOVED 3999 127.0.0.1:6381'), asked)).toEqual({
      kind: 'MOVED',
      to: { host: '127.0.0.1', port: 6381 },
    })
    expect(readRedirection(new Error('ASK 3999 ::1:6381'), asked)).toEqual({
      kind: 'ASK',
      to: { host: '::1', port: 6381 },
    })
    expect(readRedirection(new Error('MOVED 3999 :6381'), asked)?.to).toEqual({ host: '10.0.0.9', port: 6381 })
    expect(readRedirection(new Error('CLUSTERDOWN The cluster is down'), asked)).toBe(null)
  })
})

describe('what a server says of itself', () => {
  function connection(info: string, config: Record<string, string> | Error = {}): Connection {
    const send = (args: readonly (string | Buffer)[]): Promise<Reply> => {
      if (args[0] === 'INFO') return Promise.resolve(Buffer.from(info.split(' ').join('\r\n')))
      return config instanceof Error ? Promise.reject(config) : Promise.resolve(config as unknown as Reply)
    }
    return { address: { host: 'h', port: 1 }, send } as unknown as Connection
  }

  test('Redis 6.2 is refused, Valkey is not', async () => {
    await expect(checkServer(connection('redis_version:6.2.14 role:master'), 'standalone')).rejects.toMatchObject({
      code: 'STORAGE_FOREIGN',
      message: expect.stringContaining('Redis 6.2.14: Redis 7.0 or newer is needed, or Valkey') as string,
    })
    const valkey = connection('redis_version:7.2.4 valkey_version:8.1.0 role:master', {
      appendonly: 'yes',
      appendfsync: 'always',
    })
    expect(await checkServer(valkey, 'standalone')).toEqual({ durability: 'fsync', run: '', warnings: [] })
  })

  test('where another server may take over, the disk of this one is not what "saved" means', async () => {
    const config = { appendonly: 'yes', appendfsync: 'always', 'min-replicas-to-write': '0' }
    const facts = await checkServer(connection('redis_version:7.4.0 role:master', config), 'sentinel')
    expect(facts.durability).toBe('everysec')
    expect(facts.warnings).toEqual([expect.stringContaining('set min-replicas-to-write to 1')])
  })

  test('without CONFIG nothing is claimed that is not known', async () => {
    const forbidden = new Error("NOPERM this user has no permissions to run the 'config|get' command")
    const off = await checkServer(connection('redis_version:7.4.0 aof_enabled:0', forbidden), 'standalone')
    expect(off.durability).toBe('memory')
    const on = await checkServer(connection('redis_version:7.4.0 aof_enabled:1', forbidden), 'standalone')
    expect(on.durability).toBe('everysec')
    expect(on.warnings).toEqual([expect.stringContaining('not checked')])
  })
})

test('a missing client package is one sentence that says what to install', async () => {
  vi.doMock('@redis/client', () => {
    throw new Error('Cannot find package')
  })
  const { loadClient } = await import('../../server/engine/redis/clientModule.ts')
  await expect(loadClient()).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: '--redis needs the package @redis/client; install it beside scriptorium: npm install @redis/client@6.3.1.',
  })
  vi.doUnmock('@redis/client')
})

test('the proxy of the tests cuts a stream into whole values, wherever it is broken', () => {
  const values = [
    '+OK\r\n',
    '$3\r\na\r\n\r\n',
    '$-1\r\n',
    ':1\r\n',
    '*2\r\n$1\r\na\r\n*0\r\n',
    '>3\r\n$1\r\na\r\n$1\r\nb\r\n$2\r\n\r\n\r\n',
    '%1\r\n+a\r\n:1\r\n',
    '_\r\n',
  ]
  const whole = Buffer.from(values.join(''))
  fc.assert(
    fc.property(fc.array(fc.nat(whole.length)), (cuts) => {
      const frames = new RespFrames()
      const places = [0, ...cuts.sort((left, right) => left - right), whole.length]
      const found = places
        .slice(1)
        .flatMap((end, index) => frames.split(whole.subarray(places[index], end)).map(String))
      expect(found).toEqual(values)
    }),
  )
})
