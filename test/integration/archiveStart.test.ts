import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { openArchive } from '../../server/engine/archive/openArchive.ts'
import { mergeUpdates } from '../../server/engine/mergeUpdates.ts'
import { openRedisEngine } from '../../server/engine/redis/redisEngine.ts'
import { createLogger } from '../../server/log.ts'
import { createServer } from '../../server/server.ts'
import { Cli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { password, postgresMissing, PostgresServer } from '../support/postgresServer.ts'
import { redisMissing, RedisServer } from '../support/redisServer.ts'

const missing = redisMissing ?? postgresMissing
const skipped = missing === null ? '' : ` (skipped: ${missing})`

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

function textOf(update: Uint8Array): string {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}

/** "warm" is in Redis, "rested" only in the archive. */
async function fill(redis: RedisServer, postgres: PostgresServer): Promise<void> {
  const archive = await openArchive({ url: postgres.url() })
  await archive.put('rested', mergeUpdates([updateOf('rested')]))
  await archive.close()
  const engine = await openRedisEngine({ url: redis.url })
  await engine.append('warm', updateOf('warm'))
  await engine.close()
}

/** Not the password, however it is written. */
function expectNoSecret(output: string): void {
  for (const secret of [password, encodeURIComponent(password)]) expect(output).not.toContain(secret)
}

describe.skipIf(missing !== null)(`a node that starts with an archive${skipped}`, { timeout: 120_000 }, () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await RedisServer.start()
  })
  afterAll(() => redis.dispose())

  test('which is away: serves what is in Redis, takes nothing else for new, and goes on when it is back', async () => {
    const postgres = await PostgresServer.start()
    onTestFinished(() => postgres.dispose())
    await fill(redis, postgres)
    await postgres.stop()
    const lines: string[] = []
    const target = { write: (line: string) => void lines.push(line), isTerminal: false, hasColours: false }
    const logger = createLogger({ logLevel: 'info', logFormat: 'json' }, target)
    const server = createServer({ redis: redis.url, archive: postgres.url(), port: 0, demo: false, logger })
    onTestFinished(() => server.close())
    await server.ready()
    const errors = lines.filter((line) => line.includes('"level":"error"'))
    expect(errors).toEqual([
      expect.stringMatching(/The archive postgres:.* ECONNREFUSED [\d.:]+ \(--archive\)\. Until it answers, only/),
    ])
    expectNoSecret(errors.join(''))
    expect(errors.join('')).not.toContain('stack')
    expect(textOf(await server.documents.read('warm'))).toBe('warm')
    for (const name of ['rested', 'never heard of']) {
      await expect(server.documents.read(name)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    }
    await postgres.restart()
    await eventually(async () => textOf(await server.documents.read('rested')) === 'rested', 'it is served')
    expect(textOf(await server.documents.read('never heard of'))).toBe('')
    expect(lines.filter((line) => line.includes('the archive works again'))).toHaveLength(1)
  })

  test('which refuses it: does not start, and says why in one sentence that names the option', async () => {
    const postgres = await PostgresServer.start()
    onTestFinished(() => postgres.dispose())
    const wrong: readonly (readonly [url: string, sentence: RegExp])[] = [
      [postgres.url({ password: 'wrong' }), /The archive postgres:.* refuses this user or password \(--archive\)\.$/],
      [postgres.url({ database: 'nothing' }), /nothing does not exist: create the database first \(--archive\)\.$/],
      ['s3://key:secret@host', /The address of the archive \(--archive\) must name a bucket/],
    ]
    for (const [archive, sentence] of wrong) {
      const program = new Cli(['serve', '--port', '0', '--redis', redis.url, '--archive', archive])
      onTestFinished(() => program.dispose())
      const { code, stdout, stderr } = await program.finished
      expect([code, stdout, stderr.trim().split('\n')]).toEqual([1, '', [expect.stringMatching(sentence)]])
      expectNoSecret(stderr)
    }
  })

  test('which is away, from the command line: starts, after one line that names the option', async () => {
    const archive = `postgres://me:${encodeURIComponent(password)}@127.0.0.1:${String(await freePort())}/a`
    const program = new Cli(['serve', '--port', '0', '--redis', redis.url, '--archive', archive])
    onTestFinished(() => program.dispose())
    expectNoSecret(await program.line(/"level":"error".*ECONNREFUSED .*\(--archive\)/))
    await program.listening()
    program.child.kill('SIGTERM')
    const { code, stdout, stderr } = await program.finished
    expect([code, stderr, stdout.match(/"level":"error"/g)]).toEqual([0, '', ['"level":"error"']])
    expectNoSecret(stdout)
  })
})
