import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { freePort } from '../support/freePort.ts'
import { buildPages, servePages, wholeDocument } from './pages.ts'
import { startServerProcess } from './serverProcess.ts'
import type { ServerProcess } from './serverProcess.ts'

const TEST_MS = 90_000
const WAIT_MS = 20_000

const chromiumPath = findChromium()

describe.skipIf(chromiumPath === undefined)('two stock providers in one room', () => {
  let browser: Browser
  let directory: string
  let server: ServerProcess
  const complaints: string[] = []

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'scriptorium-e2e-'))
    await buildPages(join(directory, 'pages'))
    server = await startServerProcess(join(directory, 'data'), await freePort())
    browser = await launchChromium(chromiumPath ?? '')
  }, TEST_MS)
  afterAll(async () => {
    await browser.close()
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  })

  /** Opens a built page as if the server itself served it, so that its WebSocket is same-origin. */
  async function openPage(file: string, room: string): Promise<Page> {
    const page = await (await browser.newContext(ANSWERED_BY_THE_TEST)).newPage()
    page.setDefaultTimeout(WAIT_MS)
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await servePages(page, server.origin, directory)
    await page.goto(`${server.origin}/pages/${file}#${room}`)
    return page
  }

  test(
    'CodeMirror on y-websocket 3.1.0 and Tiptap on HocuspocusProvider 4.8.0 share one document and converge',
    { timeout: TEST_MS },
    async () => {
      const room = 'mixed/Straße 1'
      const codemirror = await openPage('codemirror.html', room)
      const tiptap = await openPage('tiptap.html', room)
      await codemirror.locator('.cm-content').click()
      await tiptap.locator('.ProseMirror').click()
      await Promise.all([codemirror.keyboard.type('let answer = 42'), tiptap.keyboard.type('Prose beside code')])

      const expected = { code: 'let answer = 42', richText: '<paragraph>Prose beside code</paragraph>' }
      await expect.poll(() => wholeDocument(codemirror), { timeout: WAIT_MS }).toEqual(expected)
      await expect.poll(() => wholeDocument(tiptap), { timeout: WAIT_MS }).toEqual(expected)

      const secondCodemirror = await openPage('codemirror.html', room)
      await secondCodemirror.locator('.cm-line').getByText('let answer = 42').waitFor()
      await expect.poll(() => wholeDocument(secondCodemirror), { timeout: WAIT_MS }).toEqual(expected)
      const secondTiptap = await openPage('tiptap.html', room)
      await secondTiptap.locator('.ProseMirror').getByText('Prose beside code').waitFor()
      expect(complaints).toEqual([])
    },
  )
})
