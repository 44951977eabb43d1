import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { StorageError } from '../../shared/errors.ts'
import type { Archive } from '../../server/engine/archive/archive.ts'
import type { ArchiveOptions } from '../../server/engine/archive/openArchive.ts'
import { describeArchive, openArchive } from '../../server/engine/archive/openArchive.ts'
import type { EngineHealth, Snapshot } from '../../server/engine/engine.ts'
import { systemClock } from '../../server/clock.ts'
import type { Clock } from '../../server/clock.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { LossyProxy } from '../support/lossyProxy.ts'
import type { Account } from '../support/postgresServer.ts'
import { password, postgresMissing, PostgresServer } from '../support/postgresServer.ts'

const part = (...values: number[]): Snapshot => ({ state: Uint8Array.from(values), stateVector: Uint8Array.of(7) })
const skipped = postgresMissing === null ? '' : ` (skipped: ${postgresMissing})`

async function refusal(promise: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof StorageError)) throw new Error(`a StorageError was expected, not ${inspect(error)}`)
  // Whoever logs it logs the causes as well.
  const everything = inspect(error, { depth: Infinity, showHidden: true })
  for (const secret of [password, encodeURIComponent(password)]) expect(everything).not.toContain(secret)
  return error
}

describe.skipIf(postgresMissing !== null)(`an archive in PostgreSQL${skipped}`, () => {
  let server: PostgresServer
  let schemas = 0
  const opened: Archive[] = []

  beforeAll(async () => {
    // Whatever a careless administrator would set that lets a commit be lost; the archive must not care.
    server = await PostgresServer.start(['synchronous_commit=off', 'wal_writer_delay=10s'])
  })
  afterEach(() => Promise.all(opened.splice(0).map((archive) => archive.close())))
  afterAll(() => server.dispose())

  async function newSchema(): Promise<string> {
    const schema = `test_${String(schemas++)}`
    await server.sql(`CREATE SCHEMA ${schema}`)
    return schema
  }

  async function open(account: Account, options: Partial<ArchiveOptions> = {}): Promise<Archive> {
    const archive = await openArchive({ url: server.url(account), ...options })
    opened.push(archive)
    return archive
  }

  test('nodes that start at the same time create the table together', async () => {
    const schema = await newSchema()
    const archives = await Promise.all(Array.from({ length: 8 }, () => open({ schema })))
    await Promise.all(archives.map((archive) => archive.put('a', part(1))))
    expect(await archives[0]?.list('a')).toHaveLength(8)
  })

  test('a table that exists is used by a role that may create nothing; rights it lacks are named', async () => {
    const [schema, empty] = [await newSchema(), await newSchema()]
    await (await open({ schema })).put('a', part(1))
    await server.sql(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'; GRANT USAGE ON SCHEMA ${schema}, ${empty} TO clerk`)
    const clerk = { user: 'clerk', password: 'clerk', schema }
    expect((await refusal(open({ ...clerk, schema: empty }))).message).toMatch(/right.*permission denied for schema/)
    expect((await refusal(open(clerk))).message).toMatch(/needs granting: SELECT, INSERT and DELETE/)
    await server.sql(`GRANT SELECT, INSERT, DELETE ON ${schema}.scriptorium_archive TO clerk`)
    const archive = await open(clerk)
    await archive.drop('a', [...(await archive.list('a')), await archive.put('a', part(2))])
    expect(await archive.list('a')).toEqual([])
  })

  test.each([
    ['is not an archive', 'CREATE TABLE scriptorium_archive (whatever text)'],
    ['crash would empty it', `CREATE UNLOGGED TABLE scriptorium_archive (name bytea)`],
  ])('a table of another kind is left alone: %s', async (sentence, statement) => {
    const schema = await newSchema()
    await server.sql(`SET search_path = ${schema}; ${statement}`)
    if (statement.includes('UNLOGGED')) {
      await server.sql(`COMMENT ON TABLE ${schema}.scriptorium_archive IS 'Scriptorium archive, layout 1'`)
    }
    const error = await refusal(open({ schema }))
    expect(error.code).toBe('STORAGE_FOREIGN')
    expect(error.message).toContain(sentence)
  })

  test('what is wrong is said in one sentence that names the place and never the password', async () => {
    const expected: readonly (readonly [Account, RegExp])[] = [
      [{ user: 'nobody' }, /nobody@127\.0\.0\.1:\d+\/postgres refuses this user or password\.$/],
      [{ password: 'wrong' }, /refuses this user or password\.$/],
      [{ database: 'nothing' }, /\/nothing does not exist: create the database first\.$/],
      [{ port: await freePort() }, /cannot be used: connect ECONNREFUSED 127\.0\.0\.1:\d+\.$/],
    ]
    for (const [account, sentence] of expected) {
      const error = await refusal(open(account))
      expect(error.code).toBe('STORAGE_UNAVAILABLE')
      expect(error.message).toMatch(sentence)
    }
    const unknown = await refusal(openArchive({ url: `postgres://me:${encodeURIComponent(password)}@host.invalid/a` }))
    expect(unknown.message).toMatch(/^The archive postgres:\/\/me@host\.invalid\/a cannot be used: getaddrinfo \w+/)
    expect(describeArchive(server.url())).toBe(`postgres://admin@127.0.0.1:${String(server.port)}/postgres`)
  })

  test('one that is away is opened, if so wanted, and every call is an attempt; one that refuses is not', async () => {
    const schema = await newSchema()
    const told: string[] = []
    const onUnreachable = (error: StorageError): void => void told.push(error.message)
    await refusal(open({ password: 'wrong' }, { onUnreachable }))
    await refusal(open({ database: 'nothing' }, { onUnreachable }))
    expect(told).toEqual([])
    await server.stop()
    const archive = await open({ schema }, { onUnreachable })
    expect(told).toEqual([expect.stringMatching(/ECONNREFUSED/)])
    for (const result of await Promise.allSettled([
      archive.put('a', part(1)),
      archive.list('a'),
      archive.get('a', ''),
    ])) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'STORAGE_UNAVAILABLE' } })
    }
    await server.restart()
    // The table that is not there yet is made by whoever comes first.
    const references = await Promise.all([1, 2, 3].map((value) => archive.put('a', part(value))))
    expect([...(await archive.list('a'))].sort()).toEqual(references.sort())
    expect(archive.health()).toEqual({ state: 'ok' })
  })

  test('a standby says that it is one', async () => {
    const schema = await newSchema()
    await open({ schema })
    await server.sql(`CREATE ROLE reader LOGIN SUPERUSER PASSWORD 'reader'`)
    await server.sql(`ALTER ROLE reader SET default_transaction_read_only = on`)
    const archive = await open({ user: 'reader', password: 'reader', schema })
    expect((await refusal(archive.put('a', part(1)))).message).toMatch(/is read-only, as a standby is/)
  })

  test('a part is durable when put resolves, even where commits are not', async () => {
    const schema = await newSchema()
    const archive = await open({ schema })
    const reference = await archive.put('a', part(1, 2, 3))
    await server.crash()
    await server.restart()
    expect(await archive.list('a')).toEqual([reference])
  })

  test('a part whose acknowledgement got lost is kept once, and put resolves', async () => {
    const schema = await newSchema()
    const proxy = await LossyProxy.start(server.port)
    onTestFinished(() => proxy.dispose())
    const archive = await open({ schema, port: proxy.port })
    proxy.loseAnswerTo('INSERT INTO scriptorium_archive')
    const reference = await archive.put('a', part(1))
    expect(proxy.lost).toBe(1)
    expect(await archive.list('a')).toEqual([reference])
    expect(archive.health()).toEqual({ state: 'ok' })
  })

  test('a server that is just restarting is waited for', async () => {
    // The first pause ends when the server is back, however long that takes here.
    const pauses: (() => void)[] = []
    const clock: Clock = { ...systemClock, after: (_milliseconds, task) => (pauses.push(task), () => undefined) }
    const archive = await open({ schema: await newSchema() }, { clock })
    await server.stop()
    const putting = archive.put('a', part(1))
    await eventually(() => pauses.length === 1, 'the first attempt has failed')
    await server.restart()
    pauses[0]?.()
    const reference = await putting
    expect(await archive.list('a')).toEqual([reference])
    expect(archive.health()).toEqual({ state: 'ok' })
  })

  test('crashes of the server lose nothing that was acknowledged, and what fails works again afterwards', async () => {
    const schema = await newSchema()
    const changes: string[] = []
    const archive = await open({ schema }, { onHealth: (health: EngineHealth) => changes.push(health.state) })
    const kept: (readonly [string, number])[] = []
    const done = new AbortController()
    const writers = [0, 1, 2, 3].map(async (value) => {
      while (!done.signal.aborted) {
        try {
          kept.push([await archive.put('a', part(value)), value])
        } catch (error) {
          expect(error).toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
        }
      }
    })
    for (let round = 0; round < 3; round++) {
      const before = kept.length
      await eventually(() => kept.length > before + 20, 'parts are kept')
      await server.crash()
      if (round === 2) await eventually(() => archive.health().state === 'failing', 'the archive fails')
      await server.restart()
    }
    const before = kept.length
    await eventually(() => kept.length > before + 20, 'parts are kept again')
    done.abort()
    await Promise.all(writers)
    for (const [reference, value] of kept) expect([...(await archive.get('a', reference)).state]).toEqual([value])
    expect(archive.health()).toEqual({ state: 'ok' })
    expect(changes.slice(-2)).toEqual(['failing', 'ok'])
  })

  test('connections that the server ends while they are idle are not noticed', async () => {
    const schema = await newSchema()
    const archive = await open({ schema })
    await Promise.all([1, 2, 3, 4].map((value) => archive.put('a', part(value))))
    const ended = await server.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'scriptorium'`,
    )
    expect(ended.length).toBeGreaterThan(1)
    for (let call = 0; call < 8; call++) expect(await archive.list('a')).toHaveLength(4)
  })

  test('a server that falls silent is given up, and works again over new connections', async () => {
    const schema = await newSchema()
    const proxy = await LossyProxy.start(server.port)
    onTestFinished(() => proxy.dispose())
    const archive = await open({ schema, port: proxy.port }, { answerTimeoutMs: 1_500 })
    await Promise.all([1, 2, 3, 4].map((value) => archive.put('a', part(value))))
    proxy.goSilent()
    expect((await refusal(archive.list('a'))).message).toMatch(/timeout/)
    expect(archive.health()).toMatchObject({ state: 'failing' })
    await eventually(async () => (await archive.list('a')).length === 4, 'the parts are listed again')
    expect(archive.health()).toEqual({ state: 'ok' })
  })

  test('however many call at once, a node uses four connections', async () => {
    const schema = await newSchema()
    const archive = await open({ schema })
    const reference = await archive.put('a', part(1))
    const reads = Array.from({ length: 500 }, () => archive.get('a', reference))
    const [row] = await server.sql(
      `SELECT count(*)::int AS connections FROM pg_stat_activity WHERE application_name = 'scriptorium'`,
    )
    await Promise.all(reads)
    expect(row?.['connections']).toBeLessThanOrEqual(4)
  })

  test('a server that does not sync its disk is warned about', async () => {
    const careless = await PostgresServer.start(['fsync=off'])
    onTestFinished(() => careless.dispose())
    const warnings: string[] = []
    const archive = await openArchive({ url: careless.url(), onWarning: (warning) => warnings.push(warning) })
    await archive.close()
    expect(warnings).toEqual([expect.stringMatching(/admin@127\.0\.0\.1:\d+\/postgres runs with fsync = off/)])
  })
})

test('an archive in PostgreSQL without the package pg is refused in one sentence', async () => {
  vi.doMock('pg', () => {
    throw new Error("Cannot find package 'pg'")
  })
  onTestFinished(() => {
    vi.doUnmock('pg')
  })
  const { message, code } = await refusal(openArchive({ url: 'postgres://host/a' }))
  expect(code).toBe('STORAGE_UNAVAILABLE')
  expect(message).toMatch(/^An archive in PostgreSQL needs the package pg, .* "npm install pg"/)
})
