import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { StorageError } from '../../shared/errors.ts'
import type { Archive } from '../../server/engine/archive/archive.ts'
import type { ArchiveOptions } from '../../server/engine/archive/openArchive.ts'
import { openArchive } from '../../server/engine/archive/openArchive.ts'
import { parseAddress } from '../../server/engine/archive/s3/address.ts'
import { folderOf } from '../../server/engine/archive/s3/keys.ts'
import { openS3Archive } from '../../server/engine/archive/s3/s3Archive.ts'
import { systemClock } from '../../server/clock.ts'
import type { Snapshot } from '../../server/engine/engine.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { LossyProxy } from '../support/lossyProxy.ts'
import { swiftMissing, SwiftServer } from '../support/swiftServer.ts'

const part = (...values: number[]): Snapshot => ({ state: Uint8Array.from(values), stateVector: Uint8Array.of(7) })
const secret = 'a-secret/that+nobody=prints'

async function refusal(promise: Promise<unknown>): Promise<StorageError> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof StorageError)) throw new Error(`a StorageError was expected, not ${inspect(error)}`)
  // Whoever logs it logs the causes as well.
  const everything = inspect(error, { depth: Infinity, showHidden: true })
  for (const spelling of [secret, encodeURIComponent(secret), 'testing']) expect(everything).not.toContain(spelling)
  return error
}

/** A server that answers as told, one after the other, and then as the last one says. */
async function startScript(answers: readonly (readonly [status: number, body: string])[]): Promise<string> {
  let count = 0
  const server = createServer((request, response) => {
    const [status, body] = answers[Math.min(count++, answers.length - 1)] ?? [500, '']
    request.resume().on('end', () => response.writeHead(status).end(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `s3+http://key:${encodeURIComponent(secret)}@127.0.0.1:${String((server.address() as AddressInfo).port)}/bucket`
}

const listing = (...keys: string[]): string =>
  `<?xml version="1.0"?><ListBucketResult xmlns="x"><IsTruncated>false</IsTruncated>${keys
    .map((key) => `<Contents><Key>${key}</Key></Contents>`)
    .join('')}</ListBucketResult>`

const failure = (code: string): string => `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`

describe('an archive in S3, whatever the store', () => {
  test.each([
    [403, 'InvalidAccessKeyId', /refuses this key or secret\.$/],
    [403, 'AccessDenied', /does not let this key list, read, write and delete\.$/],
    [403, 'RequestTimeTooSkewed', /clock of this machine is wrong\.$/],
    [301, 'PermanentRedirect', /in another region.*\?region=/],
    [404, 'NoSuchBucket', /^The archive s3\+http:\/\/key@127\.0\.0\.1:\d+\/bucket does not exist/],
    [400, 'Whatever', /cannot be used: it answers 400 Whatever\.$/],
  ])('%s %s is said in one sentence', async (status, code, sentence) => {
    const error = await refusal(openArchive({ url: await startScript([[status, failure(code)]]) }))
    expect(error.code).toBe('STORAGE_UNAVAILABLE')
    expect(error.message).toMatch(sentence)
  })

  test('a store that is away is opened, if so wanted, and works when it is there; one that refuses is not', async () => {
    const told: string[] = []
    const onUnreachable = (error: StorageError): void => void told.push(error.message)
    const refused = await startScript([[403, failure('AccessDenied')]])
    const nowhere = 's3+http://k:s@host.invalid/bucket'
    for (const url of [refused, nowhere]) await refusal(openArchive({ url, onUnreachable }))
    expect(told).toEqual([])
    const gone = await openArchive({
      url: `s3+http://k:s@127.0.0.1:${String(await freePort())}/bucket`,
      onUnreachable,
    })
    await refusal(gone.list('a'))
    const busy = await startScript([
      [503, failure('SlowDown')],
      [503, failure('SlowDown')],
      [503, failure('SlowDown')],
      [200, listing()],
    ])
    const archive = await openArchive({ url: busy, onUnreachable })
    expect(told).toEqual([expect.stringMatching(/ECONNREFUSED/), expect.stringMatching(/503 SlowDown/)])
    expect([await archive.list('a'), archive.health()]).toEqual([[], { state: 'ok' }])
    await Promise.all([gone.close(), archive.close()])
  })

  test('a page that is no listing is not taken for an empty one', async () => {
    const page = '<html><title>Welcome to this hotel</title></html>'
    expect((await refusal(openArchive({ url: await startScript([[200, page]]) }))).message).toMatch(/no listing/)
    const url = await startScript([
      [200, listing()],
      [200, page],
    ])
    const archive = await openArchive({ url })
    await refusal(archive.list('a'))
    await refusal(archive.names({ limit: 1 }))
    await archive.close()
  })

  test('a store that has too much to do is asked again', async () => {
    const url = await startScript([
      [503, failure('SlowDown')],
      [200, listing()],
      [503, failure('SlowDown')],
      [500, failure('InternalError')],
      [200, listing(`${folderOf('', 'a')}${'0'.repeat(32)}`, `${folderOf('', 'a')}notes.txt`)],
    ])
    const archive = await openArchive({ url })
    expect(await archive.list('a')).toEqual(['0'.repeat(32)])
    expect(archive.health()).toEqual({ state: 'ok' })
    await archive.close()
  })

  test('a failing bucket is not a missing part', async () => {
    const url = await startScript([
      [200, listing()],
      [404, failure('NoSuchBucket')],
    ])
    const archive = await openArchive({ url })
    expect((await refusal(archive.get('a', '0'.repeat(32)))).code).toBe('STORAGE_UNAVAILABLE')
    await archive.close()
  })

  test('nothing there at all', async () => {
    const url = `s3+http://key:${encodeURIComponent(secret)}@127.0.0.1:${String(await freePort())}/bucket`
    expect((await refusal(openArchive({ url }))).message).toMatch(/cannot be used: connect ECONNREFUSED/)
  })
})

const skipped = swiftMissing === null ? '' : ` (skipped: ${swiftMissing})`

describe.skipIf(swiftMissing !== null)(`an archive in S3, on OpenStack Swift${skipped}`, () => {
  let server: SwiftServer
  const opened: Archive[] = []
  beforeAll(async () => {
    server = await SwiftServer.start()
  })
  afterEach(() => Promise.all(opened.splice(0).map((archive) => archive.close())))
  afterAll(() => server.dispose())

  async function open(url: string, options: Partial<ArchiveOptions> = {}): Promise<Archive> {
    const archive = await openArchive({ url, ...options })
    opened.push(archive)
    return archive
  }

  test('a wrong secret, key or bucket is said in one sentence', async () => {
    expect((await refusal(open(server.url('', { secret })))).message).toMatch(/refuses this key or secret\.$/)
    expect((await refusal(open(server.url('', { key: 'test:nobody' })))).message).toMatch(
      /refuses this key or secret\.$/,
    )
    expect((await refusal(open(server.url('', { bucket: 'nothing' })))).message).toMatch(/create the bucket first\.$/)
  })

  test('a part whose acknowledgement got lost is kept once, and put resolves', async () => {
    const proxy = await LossyProxy.start(server.port)
    onTestFinished(() => proxy.dispose())
    const archive = await open(server.url('lost/', { port: proxy.port }))
    proxy.loseAnswerTo('PUT /archive/lost/')
    const reference = await archive.put('a', part(1))
    expect(proxy.lost).toBe(1)
    expect(await archive.list('a')).toEqual([reference])
    expect(archive.health()).toEqual({ state: 'ok' })
  })

  test('a store that hangs is given up, and works again afterwards', async () => {
    const changes: string[] = []
    const archive = await open(server.url('hung/'), {
      answerTimeoutMs: 1_500,
      onHealth: (health) => changes.push(health.state),
    })
    const reference = await archive.put('a', part(1))
    server.pause()
    onTestFinished(() => server.resume())
    expect((await refusal(archive.get('a', reference))).message).toMatch(/no answer within 1500 ms/)
    server.resume()
    await eventually(async () => (await archive.list('a')).length === 1, 'the part is listed again')
    expect(changes).toEqual(['failing', 'ok'])
  })

  test('what is listed in several pages is complete, in order, and each once', async () => {
    const address = parseAddress(server.url('paged/'), {})
    const archive = await openS3Archive({ address, clock: systemClock, onHealth: () => undefined, pageSize: 2 })
    opened.push(archive)
    const names = ['a', 'a/b', 'aa', 'b', 'c', 'd', 'e']
    const references: string[] = []
    for (const name of names) references.push(await archive.put(name, part(1)))
    for (let more = 0; more < 4; more++) references.push(await archive.put('b', part(2)))
    expect(await archive.list('b')).toEqual([references[3], ...references.slice(7)])
    expect(await archive.names({ limit: 100 })).toEqual(names)
    expect(await archive.names({ limit: 3, after: 'a' })).toEqual(['a/b', 'aa', 'b'])
    expect(await archive.names({ limit: 100, prefix: 'a' })).toEqual(['a', 'a/b', 'aa'])
  })
})
