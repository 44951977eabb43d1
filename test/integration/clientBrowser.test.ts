import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'
import type { Controls, Seen } from './clientPage/main.ts'

const TEST_MS = 90_000
const WITHIN = { within: 30_000 }
const PAGE = fileURLToPath(new URL('./clientPage/', import.meta.url))
/** Where the page comes from, whatever becomes of the server: the test answers for it. */
const ORIGIN = 'http://127.0.0.1:9'

const chromiumPath = findChromium()

describe.skipIf(chromiumPath === undefined).each(['', '&multiplex'])(
  'in a browser %s',
  { timeout: TEST_MS },
  (mode) => {
    let directory: string
    let browser: Browser
    let context: BrowserContext
    let server: TestServer
    let complaints: string[]

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'scriptorium-client-'))
      await build({
        root: PAGE,
        base: './',
        configFile: false,
        logLevel: 'error',
        build: { outDir: directory, emptyOutDir: true, modulePreload: false },
      })
      browser = await launchChromium(chromiumPath ?? '')
    }, TEST_MS)
    afterAll(async () => {
      await browser.close()
      await rm(directory, { recursive: true, force: true })
    })
    beforeEach(async () => {
      server = await TestServer.start()
      complaints = []
      context = await openContext()
    })
    afterEach(async () => {
      await context.close()
      await server.dispose()
    })

    /** A browser of its own: nothing is shared with another one. */
    async function openContext(): Promise<BrowserContext> {
      const opened = await browser.newContext(ANSWERED_BY_THE_TEST)
      await opened.route(`${ORIGIN}/**`, async (route) => {
        const path = normalize(new URL(route.request().url()).pathname)
        const contentType = extname(path) === '.html' ? 'text/html' : 'text/javascript'
        await route.fulfill({ body: await readFile(join(directory, path)), contentType })
      })
      return opened
    }

    async function openPage(where = context): Promise<Page> {
      const page = await where.newPage()
      page.on('pageerror', (error) => complaints.push(error.message))
      await page.goto(`${ORIGIN}/index.html?server=${server.url}${mode}`)
      return page
    }

    const seen = (page: Page): Promise<Seen> => page.evaluate(`window.controls.seen()`)
    const type = (page: Page, text: string): Promise<void> =>
      page.evaluate((added) => (window as unknown as { controls: Controls }).controls.type(added), text)

    function until(page: Page, condition: (state: Seen) => boolean, what: string): Promise<void> {
      let last: Seen | null = null
      const holds = async (): Promise<boolean> => condition((last = await seen(page)))
      return eventually(holds, what, { ...WITHIN, detail: () => ({ last, complaints }) })
    }

    test('what is typed offline survives a reload, and is saved when the server is there', async () => {
      const page = await openPage()
      await until(page, (state) => state.synced, 'it is synced')
      await type(page, 'online')
      await page.evaluate(`window.controls.save()`)
      expect(await seen(page)).toMatchObject({ unsaved: 0, ackLevel: 'durable', link: 'open' })
      await server.server.close()
      await until(page, (state) => state.link !== 'open', 'the connection is gone')
      await type(page, ' offline')
      page.on('dialog', (dialog) => void dialog.accept()) // "leave anyway?"
      await page.reload()
      await until(page, (state) => state.text === 'online offline', 'it is there again')
      expect(await seen(page)).toMatchObject({ synced: false, unsaved: 1 })
      const again = await server.restart()
      try {
        await page.evaluate(`window.controls.save()`)
        expect(await seen(page)).toMatchObject({ text: 'online offline', unsaved: 0, synced: true })
        await page.reload()
        await until(page, (state) => state.synced, 'it is synced once more')
        expect(await seen(page)).toMatchObject({ text: 'online offline', unsaved: 0 })
        expect(complaints).toEqual([])
      } finally {
        await again.dispose()
      }
    })

    test('what was typed offline just before the page was closed is there, too', async () => {
      const page = await openPage()
      await until(page, (state) => state.synced, 'it is synced')
      await server.server.close()
      await until(page, (state) => state.link !== 'open', 'the connection is gone')
      const typed = Array.from({ length: 520 }, (_letter, index) => `${index} `) // the 500th merges those before it
      await page.evaluate(async (letters) => {
        const { controls } = window as unknown as { controls: Controls }
        for (const [index, letter] of letters.entries()) {
          if (index > 495) await new Promise((resolve) => setTimeout(resolve)) // turns of their own
          controls.type(letter)
        }
      }, typed)
      await page.close({ runBeforeUnload: false })
      const next = await openPage()
      await until(next, (state) => state.text === typed.join(''), 'all of it is there')
      expect(complaints).toEqual([])
    })

    test('two tabs share what is typed without a server, and presence with it', async () => {
      const [first, second] = [await openPage(), await openPage()]
      for (const page of [first, second]) await until(page, (state) => state.synced, 'it is synced')
      await server.server.close()
      for (const page of [first, second]) await until(page, (state) => state.link !== 'open', 'it is offline')
      await type(first, 'between tabs')
      await until(second, (state) => state.text === 'between tabs', 'the other tab has it')
      await first.close({ runBeforeUnload: false })
      const again = await server.restart()
      try {
        await second.evaluate(`window.controls.save()`)
        await until(second, (state) => state.synced, 'it is synced')
        const third = await openPage()
        await until(third, (state) => state.text === 'between tabs' && state.synced, 'a third tab has it')
        expect(complaints).toEqual([])
      } finally {
        await again.dispose()
      }
    })

    test('who closes the page is gone for the others at once, and back at once after a reload', async () => {
      const elsewhere = await openContext()
      try {
        const [first, second] = [await openPage(), await openPage(elsewhere)]
        for (const page of [first, second]) await until(page, (state) => state.others === 1, 'they see each other')
        await second.reload()
        for (const page of [first, second])
          await until(page, (state) => state.others === 1, 'they see each other again')
        await second.close({ runBeforeUnload: false })
        await until(first, (state) => state.others === 0, 'it is gone')
        expect(complaints).toEqual([])
      } finally {
        await elsewhere.close()
      }
    })
  },
)
