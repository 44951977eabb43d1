import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Cli } from '../support/cli.ts'

let directory = ''
let running: Cli[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'scriptorium-cli-'))
  running = []
})

afterEach(async () => {
  for (const cli of running) await cli.dispose()
  await rm(directory, { recursive: true, force: true })
})

function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Cli {
  const cli = new Cli(args, env)
  running.push(cli)
  return cli
}

function serve(...args: string[]): Cli {
  return start(['serve', directory, '--port', '0', ...args])
}

/** One sentence on standard error, nothing else: no stack, no second line. */
function expectSentence(stderr: string, pattern: RegExp): void {
  expect(stderr).toMatch(/^scriptorium: [^\n]+\n$/)
  expect(stderr).toMatch(pattern)
}

describe('scriptorium, called', () => {
  test('--version is the version of the package', async () => {
    const { code, stdout } = await start(['--version']).finished
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('--help and serve --help', async () => {
    const [help, serveHelp] = await Promise.all([start(['--help']).finished, start(['serve', '--help']).finished])
    expect([help.code, serveHelp.code]).toEqual([0, 0])
    expect(help.stdout).toContain('serve')
    expect(serveHelp.stdout).toContain('--durability <level>')
    expect(serveHelp.stdout).toContain('SCRIPTORIUM_PORT, PORT')
  })

  test.each([
    [['serve', '--bogus'], /'--bogus'/],
    [['serve', '--port', 'http'], /--port must be/],
    [['sreve'], /'sreve'/],
    [[], /No command/],
  ])('%j: one sentence, exit code 2', async (args, pattern) => {
    const { code, stderr, stdout } = await start(args).finished
    expect([code, stdout]).toEqual([2, ''])
    expectSentence(stderr, pattern)
  })

  test('a wrong environment variable: the sentence names the variable, exit code 2', async () => {
    const { code, stderr } = await start(['serve', directory], { PORT: '123456' }).finished
    expect(code).toBe(2)
    expectSentence(stderr, /PORT must be a whole number from 0 to 65535/)
  })
})

describe('scriptorium serve', () => {
  test('the banner: where to go, where documents live, that authentication is off and only this machine connects', async () => {
    const cli = serve('--log-format', 'pretty')
    await cli.line(/Access/)
    cli.child.kill('SIGTERM')
    const { stdout, code } = await cli.finished
    expect(stdout).toMatch(/Open +http:\/\/127\.0\.0\.1:\d+/)
    expect(stdout).toContain(`${directory} (fsync`)
    expect(stdout).toContain('Authentication is off, so only this machine can connect')
    expect(stdout).not.toContain('WARNING')
    expect(code).toBe(0)
  })

  test('every address: a loud warning, on a terminal and in the log', async () => {
    const [pretty, json] = [
      serve('--host', '0.0.0.0', '--log-format', 'pretty'),
      start(['serve', join(directory, 'b')], { HOST: '0.0.0.0', PORT: '0' }),
    ]
    expect(await pretty.line(/WARNING/)).toContain('authentication is off')
    expect(JSON.parse(await json.line(/authentication is off/))).toMatchObject({ level: 'warn' })
  })

  test('ready when /readyz answers 200; the demo, health, version and metrics are there', async () => {
    const { url } = await serve().listening()
    const paths = ['/', '/healthz', '/readyz', '/version', '/metrics']
    const answers = await Promise.all(paths.map((path) => fetch(new URL(path, url))))
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200, 200, 200])
    expect(await answers[4]?.text()).toContain('scriptorium_sockets_open 0')
  })

  test('--no-metrics and --no-demo switch them off', async () => {
    const { url } = await serve('--no-metrics', '--no-demo').listening()
    const [metrics, page] = await Promise.all([fetch(new URL('/metrics', url)), fetch(url)])
    expect([metrics.status, page.status]).toEqual([404, 200])
    expect(await page.text()).toMatch(/^okay/)
  })

  test('a port in use: one sentence, exit code 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const port = String((taken.address() as AddressInfo).port)
    const { code, stderr } = await start(['serve', directory, '--port', port]).finished
    taken.close()
    expect(code).toBe(1)
    expectSentence(stderr, new RegExp(`127\\.0\\.0\\.1 port ${port} is already in use`))
  })

  test('a host that is not this machine: one sentence that names where it came from, exit code 1', async () => {
    const { code, stderr } = await start(['serve', directory], { HOST: '192.0.2.1', PORT: '0' }).finished
    expect(code).toBe(1)
    expectSentence(stderr, /192\.0\.2\.1 \(HOST\) is not an address of this machine/)
  })

  test('a second server on the same directory: one sentence, exit code 1, the first goes on', async () => {
    const first = serve()
    const { url } = await first.listening()
    const { code, stderr } = await serve().finished
    expect(code).toBe(1)
    expectSentence(stderr, /in use by another process/)
    expect((await fetch(new URL('/readyz', url))).status).toBe(200)
  })

  test('a directory that is a file: one sentence, exit code 1', async () => {
    const file = join(directory, 'file')
    await writeFile(file, 'not a directory')
    const { code, stderr } = await start(['serve', file, '--port', '0']).finished
    expect(code).toBe(1)
    expectSentence(stderr, /file/)
  })
})

describe('scriptorium, stopped', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('C131: %s closes clients with 1012 and exits 0', async (signal) => {
    const cli = serve()
    const { url } = await cli.listening()
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/doc`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    cli.child.kill(signal)
    expect((await closed)[0]).toBe(1012)
    expect((await cli.finished).code).toBe(0)
  })

  test('a directory can be opened again after a stop', async () => {
    const first = serve()
    await first.listening()
    first.child.kill('SIGTERM')
    await first.finished
    expect((await serve().listening()).port).toBeGreaterThan(0)
  })

  test('C133: a second signal ends it at once, with the code of that signal', async () => {
    const cli = serve('--drain-seconds', '600')
    const { port } = await cli.listening()
    const mute = await upgradeAndStaySilent(port)
    cli.child.kill('SIGTERM')
    await cli.line(/"msg":"stopping/)
    cli.child.kill('SIGINT')
    expect((await cli.finished).code).toBe(130)
    mute.destroy()
  })
})

/** A client that never answers a close frame, so that an orderly stop has to wait for it. */
async function upgradeAndStaySilent(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.write(
    'GET /doc HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  await once(socket, 'data')
  return socket
}
