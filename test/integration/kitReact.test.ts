import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, Page } from 'playwright-core'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { useConnectionStatus, useDocument, usePresence, useUnsavedChanges } from '../../client/react/index.ts'
import { SocketProxy } from '../../client/testing/node/socketProxy.ts'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { Collaborator } from '../support/collaborator.ts'
import { TestServer } from '../support/testServer.ts'
import type { Seen } from './kitReactPage/main.ts'

const TEST_MS = 90_000
const WAIT_MS = 20_000
const PAGE = fileURLToPath(new URL('./kitReactPage/', import.meta.url))

test('on a server the hooks open nothing and say so', () => {
  function App() {
    const room = useDocument('ws://127.0.0.1:9', 'never opened')
    const { status, link } = useConnectionStatus(null)
    const unsaved = useUnsavedChanges(null)
    const { self, others } = usePresence(null)
    return createElement('p', null, JSON.stringify({ room, status, link: link.name, unsaved, self, others }))
  }
  const expected = { room: null, status: 'disconnected', link: 'offline', unsaved: 0, self: null, others: [] }
  expect(renderToString(createElement(App)).replaceAll('&quot;', '"')).toBe(`<p>${JSON.stringify(expected)}</p>`)
})

const chromiumPath = findChromium()

describe.skipIf(chromiumPath === undefined)('the hooks, in StrictMode', { timeout: TEST_MS }, () => {
  let directory: string
  let browser: Browser
  let engine: FaultyEngine
  let server: TestServer
  let proxy: SocketProxy
  let page: Page
  let complaints: string[]

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'scriptorium-react-'))
    await build({
      root: PAGE,
      base: './',
      configFile: false,
      logLevel: 'error',
      mode: 'development', // React's own warnings, and StrictMode's double effects, exist there only
      define: { 'process.env.NODE_ENV': '"development"' },
      build: { outDir: join(directory, 'pages'), minify: false, chunkSizeWarningLimit: 5_000 },
      resolve: { dedupe: ['yjs', 'y-protocols', 'lib0', 'react'] },
    })
    browser = await launchChromium(chromiumPath ?? '')
  }, TEST_MS)
  afterAll(async () => {
    await browser.close()
    await rm(directory, { recursive: true, force: true })
  })
  beforeEach(async () => {
    engine = new FaultyEngine(new MemoryEngine())
    server = await TestServer.start({ engine })
    proxy = await SocketProxy.start(server.port)
    complaints = []
    page = await openPage()
  })
  afterEach(async () => {
    await page.context().close()
    await proxy.close()
    await server.dispose()
  })

  async function openPage(): Promise<Page> {
    const opened = await (await browser.newContext(ANSWERED_BY_THE_TEST)).newPage()
    opened.setDefaultTimeout(WAIT_MS)
    opened.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    opened.on('pageerror', (error) => complaints.push(error.message))
    const origin = `http://127.0.0.1:${proxy.port}`
    await opened.route(`${origin}/pages/**`, async (route) => {
      const path = normalize(new URL(route.request().url()).pathname)
      const contentType = extname(path) === '.html' ? 'text/html' : 'text/javascript'
      await route.fulfill({ body: await readFile(join(directory, path)), contentType })
    })
    await opened.goto(`${origin}/pages/index.html`)
    return opened
  }

  const show = (name: string | null): Promise<void> => page.evaluate((shown) => window.show(shown), name)
  const write = (text: string): Promise<void> => page.evaluate((added) => window.write(added), text)
  const seen = async (): Promise<Seen> => JSON.parse((await page.locator('#seen').textContent()) ?? '') as Seen
  const opened = (): Promise<number[]> => page.evaluate(() => [window.openSockets(), window.openDocuments()])
  const eventuallySees = (expected: Partial<Seen>): Promise<void> =>
    expect.poll(seen, { timeout: WAIT_MS }).toMatchObject(expected)
  const eventuallyOpened = (sockets: number, documents: number): Promise<void> =>
    expect.poll(opened, { timeout: WAIT_MS }).toEqual([sockets, documents])

  test('useDocument opens one connection, changes it with the name, and closes it with the component', async () => {
    await show('one')
    await eventuallySees({ status: 'connected', synced: true, link: 'open', text: '' })
    await eventuallyOpened(1, 1)
    expect(await page.evaluate(() => window.socketsSoFar()), 'StrictMode opened no other').toBe(1)
    await write('hello')
    await eventuallySees({ text: 'hello', unsaved: 0 })
    await show('two')
    await eventuallySees({ name: 'two', status: 'connected', synced: true, text: '' })
    await eventuallyOpened(1, 1)
    await show('one')
    await eventuallySees({ name: 'one', text: 'hello' })
    await show(null)
    await eventuallyOpened(0, 0)
    expect(complaints).toEqual([])
  })

  test('useUnsavedChanges counts until it is on the disk', async () => {
    await show('held')
    await eventuallySees({ synced: true })
    const release = engine.hold('append')
    await write('a')
    await eventuallySees({ text: 'a', unsaved: 1 })
    release()
    await eventuallySees({ text: 'a', unsaved: 0 })
    expect(complaints).toEqual([])
  })

  test('a component that goes away with unsaved edits stays connected until they are saved', async () => {
    await show('left')
    await eventuallySees({ synced: true })
    await page.evaluate(() => window.call('Ada'))
    const witness = await Collaborator.open(server.port, 'left')
    await expect.poll(() => witness.presence.size, { timeout: WAIT_MS }).toBe(1)
    const release = engine.hold('append')
    await write('not lost')
    await eventuallySees({ unsaved: 1 })
    await show(null)
    await expect.poll(() => witness.presence.size, { timeout: WAIT_MS }).toBe(0)
    expect(await opened()).toEqual([1, 1])
    release()
    await witness.until(() => witness.text === 'not lost', 'the edit arrives')
    await eventuallyOpened(0, 0)
    witness.destroy()
    expect(complaints).toEqual([])
  })

  test('useConnectionStatus follows the connection down and up', async () => {
    await show('status')
    await eventuallySees({ status: 'connected', synced: true })
    proxy.isAccepting = false
    proxy.cut()
    await expect.poll(async () => (await seen()).status, { timeout: WAIT_MS }).not.toBe('connected')
    await write('offline')
    await eventuallySees({ synced: false, unsaved: 1 })
    proxy.isAccepting = true
    await eventuallySees({ status: 'connected', synced: true, text: 'offline', unsaved: 0 })
  })

  test('usePresence shows who is here, and does not render when nothing changes', async () => {
    await show('people')
    await eventuallySees({ synced: true, others: [] })
    await page.evaluate(() => window.call('Ada'))
    await eventuallySees({ self: { name: 'Ada' } })
    const other = await Collaborator.open(server.port, 'people')
    other.announce('{"name":"Ben"}', 1)
    const ben = { id: other.doc.clientID, state: { name: 'Ben' } }
    await eventuallySees({ others: [ben] })
    const renders = await page.evaluate(() => window.renders)
    other.announce('{"name":"Ben"}', 2) // a renewal
    other.type('after it')
    await eventuallySees({ text: 'after it' })
    // The text renders twice in StrictMode, the renewal not at all.
    expect(await page.evaluate(() => window.renders)).toBe(renders + 2)
    other.destroy()
    await eventuallySees({ others: [] })
    expect(complaints).toEqual([])
  })
})
