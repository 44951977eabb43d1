import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { freePort, startServerProcess } from './serverProcess.ts'
import type { ServerProcess } from './serverProcess.ts'

const TEST_MS = 90_000
const WAIT_MS = 20_000
const STRICT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
/** What Chromium prints when a WebSocket finds nobody listening, or loses whoever was. */
const SERVER_GONE = /WebSocket connection to .+ failed/

const chromiumPath = findChromium()

describe.skipIf(chromiumPath === undefined)('the demo page', () => {
  let browser: Browser
  let directory: string
  let server: ServerProcess
  let port: number
  /** What pages complained about on their consoles; every test ends with this empty. */
  let complaints: string[]
  let serverIsDown: boolean

  beforeAll(async () => {
    browser = await launchChromium(chromiumPath ?? '')
  })
  afterAll(async () => {
    await browser.close()
  })
  beforeEach(async () => {
    complaints = []
    serverIsDown = false
    directory = await mkdtemp(join(tmpdir(), 'scriptorium-e2e-'))
    port = await freePort()
    server = await startServerProcess(directory, port)
  })
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()))
    await server.kill()
    await rm(directory, { recursive: true, force: true })
  })

  /** A page with a storage of its own, so that it is somebody else. */
  async function openPage(path: string, prepare: (page: Page) => Promise<void> = asItIs): Promise<Page> {
    const context = await browser.newContext(ANSWERED_BY_THE_TEST)
    const page = await context.newPage()
    page.setDefaultTimeout(WAIT_MS)
    page.on('console', (message) => {
      if (serverIsDown && SERVER_GONE.test(message.text())) return
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    await prepare(page)
    await page.goto(`${server.origin}/${path}`)
    return page
  }

  test(
    'P1: two people write at once, the server is killed, and nothing anyone has seen is lost',
    { timeout: TEST_MS },
    async () => {
      const first = await openPage('#shared text')
      const second = await openPage('#shared text')
      await write(first, 'One:')
      await first.keyboard.press('Enter')
      await first.keyboard.type('Two:')
      await sees(second, 'Two:')
      await placeCaretAfter(first, 'One:')
      await placeCaretAfter(second, 'Two:')

      await Promise.all([first.keyboard.type(' the quick brown fox'), second.keyboard.type(' jumps over the dog')])
      for (const page of [first, second]) {
        await sees(page, 'One: the quick brown fox')
        await sees(page, 'Two: jumps over the dog')
        await marked(page, 'Saved')
      }
      await caretOf(first, await nameOf(second)).waitFor()
      await caretOf(second, await nameOf(first)).waitFor()

      serverIsDown = true
      await server.kill()
      await marked(first, 'Offline — changes are kept in this tab')
      await marked(second, 'Offline — changes are kept in this tab')
      await first.keyboard.type(', while nobody listened')
      await warnsBeforeClosing(first)
      server = await startServerProcess(directory, port)

      await sees(second, 'One: the quick brown fox, while nobody listened')
      await marked(first, 'Saved')
      await marked(second, 'Saved')
      serverIsDown = false
      await caretOf(first, await nameOf(second)).waitFor()

      const third = await openPage('#shared text')
      await sees(third, 'Two: jumps over the dog')
      expect(await paragraphs(third)).toEqual([
        'One: the quick brown fox, while nobody listened',
        'Two: jumps over the dog',
      ])
      expect(await paragraphs(first)).toEqual(await paragraphs(third))
      expect(await paragraphs(second)).toEqual(await paragraphs(third))
      expect(complaints).toEqual([])
    },
  )

  test(
    'P1: what the mark calls "Saved" is there after SIGKILL although no other page ever saw it',
    { timeout: TEST_MS },
    async () => {
      const author = await openPage('#alone')
      await marked(author, 'Saved')
      await write(author, 'Only I have seen this.')
      await marked(author, 'Saved')
      serverIsDown = true
      await server.kill()
      await author.context().close()

      server = await startServerProcess(directory, port)
      serverIsDown = false
      const reader = await openPage('#alone')
      await sees(reader, 'Only I have seen this.')
      expect(complaints).toEqual([])
    },
  )

  test(
    'P1: after a reconnection the mark waits for the last acknowledgement, not for the first',
    { timeout: TEST_MS },
    async () => {
      const gate = new AcknowledgementGate()
      const author = await openPage('#acknowledged', (page) => gate.install(page))
      await write(author, 'Online. ')
      await marked(author, 'Saved')
      serverIsDown = true
      await server.kill()
      await marked(author, 'Offline — changes are kept in this tab')
      await author.keyboard.type('Many keys pressed offline.')

      gate.passOnlyOne()
      server = await startServerProcess(directory, port)
      await marked(author, 'Saved')
      expect(gate.held).toBe(0)
      expect(complaints).toEqual([])
    },
  )

  test(
    "the page works under a Content-Security-Policy that allows nothing but 'self'",
    { timeout: TEST_MS },
    async () => {
      const first = await openPage('#strict', enforceStrictPolicy)
      const second = await openPage('#strict', enforceStrictPolicy)
      await write(first, 'Policy')
      await sees(second, 'Policy')
      await first.keyboard.press('Control+A')
      const selection = second.locator('.ProseMirror-yjs-selection')
      await selection.waitFor()
      const backgroundOf = (element: Element): string => getComputedStyle(element).backgroundColor
      expect(await selection.evaluate(backgroundOf)).not.toBe('rgba(0, 0, 0, 0)')
      const label = caretOf(second, await nameOf(first))
      expect(await label.evaluate(backgroundOf)).not.toBe('rgba(0, 0, 0, 0)')
      expect(complaints).toEqual([])
    },
  )

  test(
    'P4: people see each other by name, also after a change of name, and disappear when they leave',
    { timeout: TEST_MS },
    async () => {
      const first = await openPage('#people')
      const second = await openPage('#people')
      await second.getByLabel('Your name').fill('Ada')
      const chip = first.getByRole('list', { name: 'Also here' }).getByText('Ada', { exact: true })
      await chip.waitFor()
      await second.context().close()
      await chip.waitFor({ state: 'detached' })
      expect(complaints).toEqual([])
    },
  )

  test('a page opened without a name makes an unguessable one and keeps it in its address', async () => {
    const first = await openPage('')
    const second = await openPage('')
    expect(first.url()).toMatch(/#[0-9a-f]{32}$/)
    expect(second.url()).not.toBe(first.url())
    await write(first, 'Private')
    await marked(first, 'Saved')
    await marked(second, 'Saved')
    expect(await paragraphs(second)).toEqual([''])
    await first.reload()
    await sees(first, 'Private')
    expect(complaints).toEqual([])
  })
})

async function write(page: Page, text: string): Promise<void> {
  await page.locator('.ProseMirror').click()
  await page.keyboard.type(text)
}

async function sees(page: Page, text: string): Promise<void> {
  await expect.poll(() => paragraphs(page), { timeout: WAIT_MS }).toContain(text)
}

async function marked(page: Page, words: string): Promise<void> {
  await page.locator('#mark').getByText(words, { exact: true }).waitFor()
}

/** Tries to close the page, expects the browser to ask whether to leave unsaved changes, and stays. */
async function warnsBeforeClosing(page: Page): Promise<void> {
  const [dialog] = await Promise.all([page.waitForEvent('dialog'), page.close({ runBeforeUnload: true })])
  expect(dialog.type()).toBe('beforeunload')
  await dialog.dismiss()
}

async function asItIs(): Promise<void> {}

async function enforceStrictPolicy(page: Page): Promise<void> {
  const isDocument = (url: URL): boolean => url.pathname === '/'
  await page.route(isDocument, async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, headers: { ...response.headers(), 'content-security-policy': STRICT_POLICY } })
  })
}

/** Stands between a page and the server, and can hold acknowledgements back. */
class AcknowledgementGate {
  held = 0
  #remaining = Infinity

  /** Must come before the page is opened. */
  async install(page: Page): Promise<void> {
    await page.routeWebSocket(/./, (socket) => {
      const server = socket.connectToServer()
      server.onMessage((frame) => {
        if (isAcknowledgement(frame) && !this.#mayPass()) this.held += 1
        else socket.send(frame)
      })
    })
  }

  /** Lets the next acknowledgement through and none after it. */
  passOnlyOne(): void {
    this.#remaining = 1
  }

  #mayPass(): boolean {
    this.#remaining -= 1
    return this.#remaining >= 0
  }
}

/** A Hocuspocus frame is the document's name (length first), then the type; 8 acknowledges one change. */
function isAcknowledgement(frame: string | Buffer): boolean {
  return typeof frame !== 'string' && frame[1 + (frame[0] ?? 0)] === 8
}

async function placeCaretAfter(page: Page, paragraph: string): Promise<void> {
  await page.locator('.ProseMirror p', { hasText: paragraph }).click()
  await page.keyboard.press('End')
}

function caretOf(page: Page, name: string): ReturnType<Page['locator']> {
  return page.locator('.collaboration-carets__label').getByText(name, { exact: true })
}

function nameOf(page: Page): Promise<string> {
  return page.getByLabel('Your name').inputValue()
}

/** The text of each paragraph, without the carets of others inside it. */
function paragraphs(page: Page): Promise<string[]> {
  return page.locator('.ProseMirror p').evaluateAll((elements) =>
    elements.map((element) => {
      const copy = element.cloneNode(true) as Element
      for (const caret of copy.querySelectorAll('.collaboration-carets__caret')) caret.remove()
      return (copy.textContent ?? '').replaceAll('\u2060', '')
    }),
  )
}
