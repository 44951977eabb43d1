import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Engine } from '../../server/engine/engine.ts'
import { openRedisEngine } from '../../server/engine/redis/redisEngine.ts'
import type { RedisEngineOptions } from '../../server/engine/redis/redisEngine.ts'
import { Cli } from '../support/cli.ts'
import { EngineListener } from '../support/engineListener.ts'
import { eventually } from '../support/eventually.ts'
import { RedisCluster, RedisSentinels } from '../support/redisCluster.ts'
import { freePort } from '../support/freePort.ts'
import { redisMissing, RedisServer } from '../support/redisServer.ts'
import type { RedisServerOptions } from '../support/redisServer.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

describe.skipIf(redisMissing !== null)('opening the Redis engine', () => {
  let cleanups: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
    cleanups = []
  })

  async function start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const server = await RedisServer.start(options)
    cleanups.push(() => server.dispose())
    return server
  }

  async function open(options: RedisEngineOptions): Promise<{ engine: Engine; warnings: string[] }> {
    const warnings: string[] = []
    const engine = await openRedisEngine({ ...options, onWarning: (warning) => warnings.push(warning) })
    cleanups.push(() => engine.close())
    return { engine, warnings }
  }

  async function refusal(options: RedisEngineOptions): Promise<{ code: string; message: string }> {
    const error: unknown = await open(options).then(
      () => null,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(Error)
    return error as { code: string; message: string }
  }

  test.each([
    { appendfsync: 'always', durability: 'fsync', warning: null },
    { appendfsync: 'everysec', durability: 'everysec', warning: null },
    { appendfsync: 'no', durability: 'os', warning: 'appendfsync is no' },
    { appendfsync: null, durability: 'memory', warning: 'no append-only file' },
  ] as const)('appendfsync $appendfsync is named $durability', async ({ appendfsync, durability, warning }) => {
    const { engine, warnings } = await open({ url: (await start({ appendfsync })).url })
    expect(engine.durability).toBe(durability)
    expect(warnings).toEqual(warning === null ? [] : [expect.stringContaining(warning)])
  })

  test('what endangers documents is said loudly: eviction, small buffers for subscribers', async () => {
    const eviction = ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru']
    const server = await start({ args: [...eviction, '--client-output-buffer-limit', 'pubsub 1mb 1mb 10'] })
    const { warnings } = await open({ url: server.url })
    expect(warnings).toEqual([
      expect.stringMatching(/^Redis at 127\.0\.0\.1:\d+: maxmemory-policy is allkeys-lru/),
      expect.stringContaining('its buffer for subscribers (1048576 bytes)'),
    ])
  })

  test('a login: right, wrong, none; never repeated in what is said', async () => {
    const server = await start({ args: ['--requirepass', 's3cr%t/'] })
    const at = (login: string): string => server.url.replace('//', `//${login}`)
    const { engine } = await open({ url: at(':s3cr%25t%2F@') })
    await engine.append('a', bytes(1))
    for (const login of [':wr0ng@', '', 'nobody:s3cr%25t%2F@']) {
      const { code, message } = await refusal({ url: at(login), patienceMs: 60_000 })
      expect(code).toBe('STORAGE_UNAVAILABLE')
      expect(message).toMatch(/^Opening redis:\/\/127\.0\.0\.1:\d+ failed: .*(WRONGPASS|NOAUTH)/)
      expect(message).not.toMatch(/wr0ng|s3cr/)
    }
  })

  test('where CONFIG is forbidden the level is said to be unchecked', async () => {
    const server = await start({ appendfsync: 'always' })
    await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all', '-config')
    const { engine, warnings } = await open({ url: server.url.replace('//', '//app:pw@') })
    expect(engine.durability).toBe('everysec')
    expect(warnings).toEqual([expect.stringContaining('CONFIG is forbidden')])
    await engine.append('a', bytes(1))
  })

  test.each([
    { rights: ['~*'], forbidden: 'SPUBLISH' },
    { rights: ['~other:*', '&*'], forbidden: 'key' },
    { rights: ['~*', '&*', '-xtrim'], forbidden: 'XTRIM' },
    { rights: ['~*', '&*', '-evalsha'], forbidden: 'evalsha' },
  ])('a user who may not do all that is needed is refused: $rights', async ({ rights, forbidden }) => {
    const server = await start()
    const commands = rights.filter((right) => right.startsWith('-'))
    const places = rights.filter((right) => !right.startsWith('-'))
    await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', ...places, '+@all', ...commands)
    const { code, message } = await refusal({ url: server.url.replace('//', '//app:pw@'), patienceMs: 60_000 })
    expect(code).toBe('STORAGE_UNAVAILABLE')
    expect(message).toMatch(/^Opening redis:.* failed: NOPERM .*\.$/)
    expect(message).toContain(forbidden)
  })

  test('a user who loses the right to publish stores each entry once', async () => {
    const server = await start()
    await server.command('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all')
    const { engine } = await open({ url: server.url.replace('//', '//app:pw@') })
    await server.command('ACL', 'SETUSER', 'app', 'resetchannels')
    await engine.append('a', bytes(1))
    expect((await engine.load('a')).tail).toHaveLength(1)
  })

  test('nobody there: waited for as long as is asked, then one sentence', async () => {
    const port = String(await freePort())
    const { code, message } = await refusal({ url: `redis://127.0.0.1:${port}`, patienceMs: 3_000 })
    expect(code).toBe('STORAGE_UNAVAILABLE')
    expect(message).toMatch(new RegExp(`^Opening redis://127.0.0.1:${port} failed: .*ECONNREFUSED`))
  })

  test('somebody who takes connections and says nothing', async () => {
    const server = await start()
    server.pause()
    const { message } = await refusal({ url: server.url, timeoutMs: 500, patienceMs: 3_000 })
    expect(message).toContain('does not answer')
  })

  test('a server that comes later is waited for', async () => {
    const server = await start()
    await server.stop()
    const opening = open({ url: server.url, patienceMs: 30_000 })
    await server.resume()
    await (await opening).engine.append('a', bytes(1))
  })

  test.skipIf(spawnSync('openssl', ['version']).error !== undefined)('TLS: a certificate is checked', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'scriptorium-tls-'))
    cleanups.push(() => rm(directory, { recursive: true, force: true }))
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2']
    spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      key,
      '-out',
      certificate,
      ...subject,
    ])
    const tlsPort = String(await freePort())
    const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate]
    await start({ args: ['--tls-port', tlsPort, '--tls-auth-clients', 'no', ...files] })
    const url = `rediss://localhost:${tlsPort}`
    expect((await refusal({ url, patienceMs: 5_000 })).message).toContain('self-signed certificate')
    // Trust is given to a process from outside.
    const program = `
      const { openRedisEngine } = await import('./server/engine/redis/redisEngine.ts')
      const engine = await openRedisEngine({ url: '${url}' })
      console.log(await engine.append('a', Uint8Array.of(1)))
      await engine.close()`
    const child = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      cwd: join(import.meta.dirname, '..', '..'),
      env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: certificate },
    })
    expect(`${String(child.stdout)}${String(child.stderr)}`).toMatch(/^\d+\.[\da-f]+\.0-1\n$/)
  })

  test('databases share nothing, channels included', async () => {
    const server = await start()
    const { engine: zero } = await open({ url: server.url })
    const { engine: three } = await open({ url: `${server.url}/3` })
    const { engine: alsoThree } = await open({ url: `${server.url}/3` })
    const [other, same] = [new EngineListener(zero, 'a'), new EngineListener(alsoThree, 'a')]
    await three.append('a', bytes(1))
    await eventually(() => same.entries.length === 1, 'it arrives in the same database')
    three.publish('a', 'hello', bytes(1))
    await eventually(() => same.messages.length === 1, 'so does a message')
    await zero.load('a')
    expect([other.entries, other.messages, await zero.list({ limit: 9 })]).toEqual([[], [], []])
  })

  test('a replica is refused until it is a master', async () => {
    const master = await start()
    const replica = await start({ args: ['--replicaof', '127.0.0.1', String(master.port)] })
    const { message } = await refusal({ url: replica.url, patienceMs: 3_000 })
    expect(message).toContain('is a replica')
  })

  test('the command line says where documents are and at which level, and why it does not start', async () => {
    const server = await start({ args: ['--requirepass', 's3cret'] })
    const directory = await mkdtemp(join(tmpdir(), 'scriptorium-test-'))
    cleanups.push(() => rm(directory, { recursive: true, force: true }))
    const place = [join(directory, 'data'), '--port', '0', '--log-format', 'json', '--redis-prefix', 'team:']
    const url = server.url.replace('//', '//:s3cret@')
    const cli = new Cli(['serve', ...place], { SCRIPTORIUM_REDIS: url })
    cleanups.push(() => cli.dispose())
    const line: unknown = JSON.parse(await cli.line(/"msg":"listening"/))
    expect(line).toMatchObject({
      documents: `redis://127.0.0.1:${String(server.port)}, keys team:*`,
      durability: 'everysec',
    })
    cli.child.kill('SIGTERM')
    const { code, stdout, stderr } = await cli.finished
    expect([code, `${stdout}${stderr}`.includes('s3cret')]).toEqual([0, false])
    expect(await readdir(directory)).toEqual([])
    const refused = new Cli(['serve', ...place, '--redis', server.url])
    cleanups.push(() => refused.dispose())
    const ended = await refused.finished
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^scriptorium: Opening redis:\/\/127\.0\.0\.1:\d+ failed: NOAUTH .*\n$/)
  })

  test('the wrong kind of URL is told apart from the right one', async () => {
    const server = await start()
    const noCluster = await refusal({ url: server.url.replace('redis:', 'redis+cluster:'), patienceMs: 60_000 })
    expect(noCluster.message).toMatch(/cluster/i)
    const sentinels = await RedisSentinels.start()
    cleanups.push(() => sentinels.dispose())
    const unknown = await refusal({ url: sentinels.url.replace('/documents', '/others'), patienceMs: 60_000 })
    expect(unknown).toMatchObject({ code: 'STORAGE_FOREIGN' })
    expect(unknown.message).toContain('"others"')
    const cluster = await RedisCluster.start()
    cleanups.push(() => cluster.dispose())
    const [node] = cluster.nodes
    const single = await refusal({ url: node?.url ?? '', patienceMs: 60_000 })
    expect(single).toMatchObject({ code: 'STORAGE_FOREIGN' })
    expect(single.message).toContain('redis+cluster://')
  }, 60_000)
})
