import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { Cli } from '../support/cli.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/rawClient.ts'
import { temporaryDirectory } from '../support/testServer.ts'
import { Crowd } from '../support/workersJournal.ts'
import { WorkersServer } from '../support/workersServer.ts'

let server: WorkersServer | null = null
let crowd: Crowd | null = null

afterEach(async () => {
  crowd?.dispose()
  await server?.dispose()
  server = null
  crowd = null
})

async function start(...args: string[]): Promise<WorkersServer> {
  server = await WorkersServer.start(args)
  return server
}

describe('--workers', () => {
  test.each(['0', '-1', '1.5', '257', 'many', 'AUTO', ''])(
    '%j is refused in one sentence, exit code 2',
    async (value) => {
      const { code, stderr, stdout } = await new Cli(['serve', 'nowhere', `--workers=${value}`]).finished
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(/^scriptorium: --workers must be a whole number from 1 to 256, or auto, not [^\n]+\n$/)
    },
  )

  test('the banner is printed once, and says how many there are', async () => {
    const directory = await temporaryDirectory()
    const cli = new Cli(['serve', directory, '--port', '0', '--workers', '2', '--log-format', 'pretty'])
    await cli.line(/Access/)
    cli.child.kill('SIGTERM')
    const { stdout } = await cli.finished
    await rm(directory, { recursive: true })
    expect(stdout.match(/Scriptorium \d/g)).toHaveLength(1)
    expect(stdout).toContain('Workers    2 processes serve clients')
  })

  test('a data directory that is in use: one sentence, exit code 1, the first server goes on', async () => {
    const running = await start()
    const second = await new Cli(['serve', running.directory, '--port', '0', '--workers', '2']).finished
    expect(second.code).toBe(1)
    expect(second.stderr).toMatch(/^scriptorium: [^\n]*in use by another process[^\n]*\n$/)
    expect((await running.get('/readyz')).status).toBe(200)
  })

  test('a port in use: one sentence, exit code 1', async () => {
    const running = await start()
    const { code, stderr } = await new Cli([
      'serve',
      `${running.directory}/other`,
      '--port',
      String(running.port),
      '--workers',
      '2',
    ]).finished
    expect(code).toBe(1)
    expect(stderr).toMatch(/^scriptorium: 127\.0\.0\.1 port \d+ is already in use[^\n]*\n$/)
  })
})

describe('metrics of several workers', () => {
  test('every sample says whose it is, and each metric stands in one place', async () => {
    const running = await start()
    const { text } = await running.get('/metrics')
    const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    for (const sample of samples) expect(sample).toMatch(/^\w+\{worker="(?:primary|0|1)"[,}]/)
    const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    expect(new Set(types).size).toBe(types.length)
    expect((await running.metric('process_cpu_seconds_total')).size).toBe(3)
    expect(await running.metric('scriptorium_worker_up')).toEqual(
      new Map([
        ['0', 1],
        ['1', 1],
      ]),
    )
  })

  test('a worker that stands still does not keep the others from being seen', async () => {
    const running = await start()
    const standing = running.pid(1)
    process.kill(standing, 'SIGSTOP')
    try {
      // Asked of the other one: both have nothing to do, and the first of equals is taken.
      expect(await running.metric('scriptorium_worker_up')).toEqual(
        new Map([
          ['0', 1],
          ['1', 0],
        ]),
      )
    } finally {
      process.kill(standing, 'SIGCONT')
    }
  })

  test('--no-metrics: 404', async () => {
    expect((await (await start('--no-metrics')).get('/metrics')).status).toBe(404)
  })
})

describe('stopping with workers', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'C131, O1: %s: clients are closed 1012, everything is stored, exit code 0',
    async (signal) => {
      const running = await start()
      const sockets = Array.from({ length: 6 }, (_, index) => new WebSocket(`${running.url}/${index}`))
      await Promise.all(sockets.map((socket) => once(socket, 'open')))
      const closed = Promise.all(sockets.map(async (socket) => ((await once(socket, 'close')) as [number])[0]))
      running.cli.child.kill(signal)
      expect(await closed).toEqual([1012, 1012, 1012, 1012, 1012, 1012])
      const { code, stdout } = await running.cli.finished
      expect(code).toBe(0)
      expect(stdout).toMatch(/"msg":"stopped"\}\n$/)
    },
  )

  test('C131: SIGTERM under load: what was promised is there after a restart', async () => {
    const running = await start()
    crowd = await Crowd.open(running.port)
    await crowd.start()
    await crowd.acknowledged(200)
    running.cli.child.kill('SIGTERM')
    expect((await running.cli.finished).code).toBe(0)
    await crowd.stop()
    server = await WorkersServer.start([], running)
    expect(await crowd.broken()).toEqual({ lost: [], twice: 0 })
  })

  test('C131: SIGTERM to all processes at once, as a service manager sends it: the same', async () => {
    const running = await start()
    const socket = new WebSocket(`${running.url}/a`)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    for (const pid of [running.pid(0), running.cli.child.pid ?? 0, running.pid(1)]) process.kill(pid, 'SIGTERM')
    expect((await closed)[0]).toBe(1012)
    const { code, stdout } = await running.cli.finished
    expect(code).toBe(0)
    expect(stdout).not.toContain('a worker died')
  })

  test('C133, O2, O3: a second signal ends all processes at once, with the code of that signal', async () => {
    const running = await start('--drain-seconds', '600')
    // Whatever answers requests is loaded with the first one, which takes its time on a busy machine.
    await Promise.all([1, 2, 3, 4].map(() => running.get('/healthz')))
    const mute = await RawClient.open(running.port, '/doc')
    mute.pause() // never answers the close frame, so that an orderly stop has to wait for it
    running.cli.child.kill('SIGTERM')
    await running.cli.line(/"msg":"stopping/)
    // Meanwhile it lives, and says what it does.
    await Promise.all([
      running.get('/healthz').then(({ status }) => expect(status).toBe(200)),
      running.get('/readyz').then(({ status }) => expect(status).toBe(503)),
      expect(RawClient.open(running.port, '/doc')).rejects.toThrow('503'),
    ])
    running.cli.child.kill('SIGINT')
    // Workers hold the program's standard output: it ends when the last of them has.
    expect((await running.cli.finished).code).toBe(130)
    mute.destroy()
  })

  test('O1: a worker that does not end by itself is ended before the deadline', async () => {
    const running = await start('--drain-seconds', '2')
    process.kill(running.pid(0), 'SIGSTOP')
    running.cli.child.kill('SIGTERM')
    const { code, stdout } = await running.cli.finished
    expect(code).toBe(0)
    expect(stdout).toContain('not everything could be stored')
  })

  test('W7, P6: SIGTERM to one worker: its clients are closed 1012 and find the others; another takes its place', async () => {
    const running = await start()
    crowd = await Crowd.open(running.port)
    await crowd.start()
    await crowd.acknowledged(100)
    const other = running.pid(0)
    await running.replace(1, 'SIGTERM')
    await crowd.acknowledged(100)
    await crowd.stop()
    expect(await crowd.broken()).toEqual({ lost: [], twice: 0 })
    expect(running.pid(0)).toBe(other)
    expect(running.lines(/"msg":"a worker died/)).toEqual([])
    expect(await running.metric('scriptorium_rejected_total')).toEqual(new Map())
  })

  test('O3: while one worker is away, the server is ready; with none, it says 503', async () => {
    const running = await start()
    process.kill(running.pid(0), 'SIGKILL')
    expect((await running.get('/readyz')).status).toBe(200)
    await eventually(() => running.lines(/"msg":"a worker serves"/).length === 3, 'it serves again')
    for (const worker of [0, 1]) process.kill(running.pid(worker), 'SIGKILL')
    await eventually(async () => (await running.get('/readyz')).status === 503, 'nobody is there')
    await eventually(async () => (await running.get('/readyz')).status === 200, 'both are back')
  })
})
