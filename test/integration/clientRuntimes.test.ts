import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker as Thread } from 'node:worker_threads'
import { build } from 'vite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SocketProxy } from '../../client/testing/node/index.ts'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { findRuntime } from '../support/runtimes.ts'
import type { Runtime } from '../support/runtimes.ts'
import { TestServer } from '../support/testServer.ts'

const SCRIPTS = join(import.meta.dirname, 'clientRuntimes')
const ORIGIN = 'http://127.0.0.1:9'
const TEST_MS = 300_000

let server: TestServer
let proxy: SocketProxy
let lines: string[]

beforeEach(async () => {
  server = await TestServer.start()
  proxy = await SocketProxy.start(server.port)
  lines = []
})

afterEach(async () => {
  await proxy.close()
  await server.dispose()
})

/** What the script says; its connection is cut when it has saved. */
function hear(line: string): void {
  lines.push(line)
  if (line === 'saved') proxy.cut()
}

async function expectDone(): Promise<void> {
  expect(lines).toEqual(['saved', 'one two, durable, reconnected true'])
  await eventually(() => proxy.connections === 0, 'no socket is left')
}

const node: Runtime = { name: 'node', command: process.execPath, args: [] }

test.for(['node', 'bun', 'deno'] as const)('the built client in %s', { timeout: TEST_MS }, async (name, { skip }) => {
  const runtime = name === 'node' ? node : await findRuntime(name)
  if (runtime === null) {
    skip('it cannot be installed here')
    return
  }
  const args = [...runtime.args, join(SCRIPTS, 'process.mjs'), proxy.url, `room of ${name}`]
  const child = spawn(runtime.command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface(child.stdout).on('line', hear)
  // It ends by itself: nothing that was left behind keeps it.
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(0)
  await expectDone()
})

test('the built client in a worker thread', { timeout: TEST_MS }, async () => {
  const worker = new Thread(join(SCRIPTS, 'thread.mjs'), { workerData: { url: proxy.url, room: 'thread' } })
  worker.on('message', hear)
  const [code] = (await once(worker, 'exit')) as [number]
  expect(code).toBe(0)
  await expectDone()
})

async function bundleWorker(): Promise<string> {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    build: { write: false, rolldownOptions: { input: join(SCRIPTS, 'webWorker.mjs') }, modulePreload: false },
  })
  if (!('output' in built)) throw new Error('vite has built nothing')
  const entry = built.output.find((output) => output.type === 'chunk' && output.isEntry)
  return entry?.type === 'chunk' ? entry.code : ''
}

const chromiumPath = findChromium()

test.skipIf(chromiumPath === undefined)('the built client in a worker of a browser', { timeout: TEST_MS }, async () => {
  const code = await bundleWorker()
  const browser = await launchChromium(chromiumPath ?? '')
  try {
    const context = await browser.newContext(ANSWERED_BY_THE_TEST)
    await context.route(`${ORIGIN}/**`, (route) =>
      route.request().url().endsWith('.js')
        ? route.fulfill({ contentType: 'text/javascript', body: code })
        : route.fulfill({ contentType: 'text/html', body: '<title>worker</title>' }),
    )
    const page = await context.newPage()
    await page.goto(`${ORIGIN}/`)
    await page.exposeFunction('hear', hear)
    await page.evaluate(
      (about) => {
        const worker = new Worker('/worker.js', { type: 'module' })
        worker.addEventListener('message', ({ data }) => {
          ;(window as unknown as { hear: (line: string) => void }).hear(String(data))
        })
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
        worker.postMessage(about)
      },
      { url: proxy.url, room: 'worker' },
    )
    await eventually(() => lines.length === 2, 'the worker has saved twice', { within: 60_000 })
    await expectDone()
  } finally {
    await browser.close()
  }
})
