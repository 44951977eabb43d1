import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { afterEach, describe, expect, test } from 'vitest'
import type { HttpAppOptions } from '../../server/http/app.ts'
import { createHttpApp } from '../../server/http/app.ts'
import type { NotReadyReason } from '../../server/http/health.ts'
import { createLogger } from '../../server/log.ts'

const cleanups: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function createApp(options: Partial<HttpAppOptions> = {}) {
  const logged: string[] = []
  const target = { write: (text: string) => void logged.push(text), isTerminal: false, hasColours: false }
  const reasons: NotReadyReason[] = []
  const app: FastifyInstance = createHttpApp({
    logger: createLogger({ logLevel: 'debug', logFormat: 'json' }, target),
    metrics: { contentType: 'text/plain; version=0.0.4', text: () => Promise.resolve('up 1\n') },
    health: { reasons: () => reasons },
    demoDirectory: null,
    version: '1.2.3',
    ...options,
  })
  cleanups.push(() => app.close())
  return { app, reasons, logged }
}

async function createDemo(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'scriptorium-demo-'))
  cleanups.push(() => rm(directory, { recursive: true }))
  await mkdir(join(directory, 'assets'))
  await writeFile(join(directory, 'index.html'), '<!doctype html><title>demo</title>')
  await writeFile(join(directory, 'assets', 'main-abc123.js'), 'export {}')
  await writeFile(join(directory, 'worker.js'), '// service worker')
  return directory
}

describe('health', () => {
  test('/healthz says that the process is alive, whatever else is wrong', async () => {
    const { app, reasons } = createApp()
    reasons.push('storage failing')
    const answer = await app.inject('/healthz')
    expect(answer.statusCode).toBe(200)
    expect(answer.json()).toEqual({ status: 'ok' })
  })

  test.each(['/readyz', '/ready'])('%s: 200, or 503 with every reason', async (url) => {
    const { app, reasons } = createApp()
    const ready = await app.inject(url)
    expect([ready.statusCode, ready.json()]).toEqual([200, { status: 'ready', reasons: [] }])
    reasons.push('draining', 'storage failing')
    const busy = await app.inject(url)
    expect(busy.statusCode).toBe(503)
    expect(busy.json()).toEqual({ status: 'not ready', reasons: ['draining', 'storage failing'] })
    expect(busy.headers['cache-control']).toBe('no-store')
  })
})

describe('metrics and version', () => {
  test('/metrics is what the registry says, with its content type', async () => {
    const answer = await createApp().app.inject('/metrics')
    expect(answer.body).toBe('up 1\n')
    expect(answer.headers['content-type']).toContain('version=0.0.4')
  })

  test('/metrics that are switched off are not there', async () => {
    const answer = await createApp({ metrics: null }).app.inject('/metrics')
    expect(answer.statusCode).toBe(404)
  })

  test('/version', async () => {
    expect((await createApp().app.inject('/version')).json()).toEqual({ name: 'scriptorium', version: '1.2.3' })
  })
})

describe('the demo', () => {
  test('index.html at / is revalidated and locked down', async () => {
    const { app } = createApp({ demoDirectory: await createDemo() })
    const answer = await app.inject('/?doc=abc')
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toContain('<title>demo</title>')
    expect(answer.headers['cache-control']).toBe('no-cache')
    expect(answer.headers['content-type']).toContain('text/html')
    const policy = String(answer.headers['content-security-policy'])
    const allowed = new Map(policy.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1).join(' ')]))
    expect(allowed.get('default-src')).toBe("'none'")
    for (const kind of ['script-src', 'style-src', 'connect-src', 'frame-src', 'worker-src', 'frame-ancestors']) {
      expect([kind, allowed.get(kind)]).toEqual([kind, "'self'"])
    }
    expect(allowed.get('img-src')).toBe("'self' data:")
    expect(policy).not.toMatch(/unsafe|\*|https?:|wss?:/)
  })

  test('hashed assets are cached for good', async () => {
    const { app } = createApp({ demoDirectory: await createDemo() })
    const answer = await app.inject('/assets/main-abc123.js')
    expect(answer.headers['cache-control']).toContain('immutable')
    expect(answer.headers['content-type']).toContain('javascript')
  })

  test.each(['br', 'gzip'])('what the build has compressed is sent so to who takes %s', async (encoding) => {
    const directory = await createDemo()
    for (const file of ['index.html', 'assets/main-abc123.js']) {
      await writeFile(join(directory, `${file}.br`), 'in br')
      await writeFile(join(directory, `${file}.gz`), 'in gzip')
    }
    const { app } = createApp({ demoDirectory: directory })
    for (const url of ['/', '/assets/main-abc123.js']) {
      const plain = await app.inject(url)
      const answer = await app.inject({ url, headers: { 'accept-encoding': `deflate, ${encoding}` } })
      expect([answer.statusCode, answer.body]).toEqual([200, `in ${encoding}`])
      expect(answer.headers['content-encoding']).toBe(encoding)
      expect(answer.headers['vary']).toContain('accept-encoding')
      for (const same of ['content-type', 'cache-control', 'content-security-policy']) {
        expect([same, answer.headers[same]]).toEqual([same, plain.headers[same]])
      }
      expect(plain.headers['content-encoding']).toBe(undefined)
    }
    expect((await app.inject('/assets/main-abc123.js.br')).statusCode).toBe(404)
  })

  test('the service worker is asked for anew, or an old page would outlive its server', async () => {
    const { app } = createApp({ demoDirectory: await createDemo() })
    const answer = await app.inject('/worker.js')
    expect(answer.statusCode).toBe(200)
    expect(answer.headers['cache-control']).toBe('no-cache')
    expect(answer.headers['content-type']).toContain('javascript')
  })

  test.each(['/../package.json', '/..%2fpackage.json', '/%2e%2e/package.json', '/assets/..%2f..%2fpackage.json'])(
    'C59: %s reads no file outside the demo',
    async (url) => {
      const { app } = createApp({ demoDirectory: await createDemo() })
      expect((await app.inject(url)).statusCode).toBeGreaterThanOrEqual(400)
    },
  )

  test('off or not built: / still answers 200 and says what this is', async () => {
    for (const demoDirectory of [null, '/nowhere/at/all']) {
      const answer = await createApp({ demoDirectory }).app.inject('/')
      expect(answer.statusCode).toBe(200)
      expect(answer.body).toMatch(/^okay\n/)
      expect(answer.headers['content-type']).toContain('text/plain')
    }
  })
})

describe('everything else', () => {
  test.each(['/some-doc', '/a/b/c', '/caf%C3%A9', '/healthz2'])('GET %s is a document: 426', async (url) => {
    const answer = await createApp().app.inject(url)
    expect(answer.statusCode).toBe(426)
    expect(answer.headers['upgrade']).toBe('websocket')
    expect(answer.json()).toMatchObject({ error: 'UPGRADE_REQUIRED' })
  })

  test.each(['/favicon.ico', '/assets/gone.js', '/robots.txt', '/.well-known/x'])('GET %s: 404', async (url) => {
    const answer = await createApp().app.inject(url)
    expect([answer.statusCode, answer.json().error]).toEqual([404, 'NOT_FOUND'])
  })

  test('POST to nothing: 404', async () => {
    expect((await createApp().app.inject({ method: 'POST', url: '/some-doc' })).statusCode).toBe(404)
  })

  test('C12: a body that nobody asked for is bounded', async () => {
    const { app } = createApp()
    const payload = JSON.stringify('x'.repeat(100_000))
    const headers = { 'content-type': 'application/json' }
    const answer = await app.inject({ method: 'POST', url: '/some-doc', headers, payload })
    expect(answer.statusCode).toBeGreaterThanOrEqual(400)
  })

  test.each(['/%', '/%ff%fe', '/%zz'])(
    'C59: %s, which does not decode, is answered and not crashed on',
    async (url) => {
      const answer = await createApp().app.inject(url)
      expect(answer.statusCode).toBeGreaterThanOrEqual(400)
      expect(answer.statusCode).toBeLessThan(500)
      expect(answer.json()).toHaveProperty('error')
    },
  )

  test('a route that fails answers 500 without telling why, and the log has it', async () => {
    const metrics = { contentType: 'text/plain', text: () => Promise.reject(new Error('SECRET detail')) }
    const { app, logged } = createApp({ metrics })
    const answer = await app.inject('/metrics')
    expect(answer.statusCode).toBe(500)
    expect(answer.body).not.toContain('SECRET')
    expect(logged.join('')).toContain('SECRET detail')
  })

  test('every answer forbids sniffing and referrers', async () => {
    const answer = await createApp().app.inject('/healthz')
    expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' })
  })

  test('C56: a token in the query string appears in no log line', async () => {
    const { app, logged } = createApp()
    await app.inject('/some-doc?token=SECRET')
    await app.inject('/%?token=SECRET')
    expect(logged.join('')).toContain('/some-doc')
    expect(logged.join('')).not.toContain('SECRET')
  })
})

describe('C66: a request that never ends', () => {
  test.each([
    ['nothing at all', ''],
    ['half of its headers', 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '],
  ])('%s: the socket is closed', async (_what, bytes) => {
    const { app } = createApp({ timeouts: { headersMs: 50, requestMs: 60, checkMs: 10 } })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
    socket.resume()
    socket.write(bytes)
    await once(socket, 'close')
    expect(socket.destroyed).toBe(true)
  })
})
