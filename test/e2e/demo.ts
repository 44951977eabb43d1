import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { freePort } from '../support/freePort.ts'
import { startServerProcess } from './serverProcess.ts'
import type { ServerProcess } from './serverProcess.ts'

/** Long for a machine that has other work, too; a page that works needs a fraction. */
export const TEST_MS = 300_000
export const WAIT_MS = 60_000
/** What Chromium prints when a WebSocket finds nobody listening, or loses whoever was, and when a page or its worker does. */
const SERVER_GONE =
  /WebSocket connection to .+ failed|ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|An unknown error occurred when fetching the script\.$/
/** The tab's own icon is fetched when the browser likes, and broken off when the page is left before. */
const ICON_LEFT = /\/assets\/icon-[^/]+: net::ERR_ABORTED$/

export const chromiumPath = findChromium()

/** The built server, a browser, and everything its pages complained about. */
export class Demo {
  /** Console errors and warnings, failed requests, requests to elsewhere. Every test ends with this empty. */
  complaints: string[] = []
  #browser: Browser | null = null
  #server: ServerProcess | null = null
  #directory = ''
  #port = 0
  /** Whether a page may say that it misses the server. */
  #isServerMissed = false

  async launch(): Promise<void> {
    this.#browser = await launchChromium(chromiumPath ?? '')
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get browser(): Browser {
    if (this.#browser === null) throw new Error('the browser has not been launched')
    return this.#browser
  }

  /** A new server without documents. */
  async begin(): Promise<void> {
    this.complaints = []
    this.#isServerMissed = false
    this.#directory = await mkdtemp(join(tmpdir(), 'scriptorium-e2e-'))
    this.#port = await freePort()
    await this.restart()
  }

  /** Fails the test when a page has complained. */
  async end(): Promise<void> {
    const complaints = [...this.complaints] // not what is broken off by the closing itself
    await Promise.all(this.browser.contexts().map((context) => context.close()))
    await this.#server?.kill()
    await rm(this.#directory, { recursive: true, force: true })
    expect(complaints).toEqual([])
  }

  async close(): Promise<void> {
    await this.#browser?.close()
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#isServerMissed = true
    await this.#server?.kill()
    this.#server = null
  }

  /** The same documents at the same address. */
  async restart(): Promise<void> {
    this.#server = await startServerProcess(this.#directory, this.#port)
  }

  /** From here on every page must reach the server. */
  missNoMore(): void {
    this.#isServerMissed = false
  }

  /** A page with a storage of its own, so that it is somebody else. @param path `?code#name`, for instance */
  async open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await this.blank(options)
    await page.goto(`${this.origin}/${path}`)
    return page
  }

  /** The same before it has gone anywhere. */
  async blank(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({ ...ANSWERED_BY_THE_TEST, ...options })
    const page = await context.newPage()
    this.listen(page)
    return page
  }

  listen(page: Page): void {
    const complain = (text: string): void => {
      if (!this.#isServerMissed || !SERVER_GONE.test(text)) this.complaints.push(text)
    }
    page.setDefaultTimeout(WAIT_MS)
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complain(message.text())
    })
    page.on('pageerror', (error) => complain(error.stack ?? error.message))
    page.on('requestfailed', (request) => {
      const failure = `${request.url()}: ${request.failure()?.errorText}`
      if (!ICON_LEFT.test(failure)) complain(failure)
    })
    page.on('response', (response) => {
      if (response.status() >= 400) complain(`${response.url()}: ${response.status()}`)
    })
    page.on('request', (request) => {
      const address = request.url()
      if (!/^(?:data|blob):/.test(address) && !address.startsWith(this.origin)) complain(`asked elsewhere: ${address}`)
    })
  }
}

/** For the tests around: one browser, and for each of them a server of its own. */
export function useDemo(): Demo {
  const demo = new Demo()
  beforeAll(() => demo.launch())
  afterAll(() => demo.close())
  beforeEach(() => demo.begin(), TEST_MS)
  afterEach(() => demo.end())
  return demo
}

/** Places the caret at the end of the text and types. */
export async function write(page: Page, text: string): Promise<void> {
  await page.locator('.ProseMirror').click()
  await page.keyboard.press('Control+End')
  await page.keyboard.type(text)
}

export async function sees(page: Page, text: string): Promise<void> {
  await expect.poll(() => paragraphs(page), { timeout: WAIT_MS }).toContain(text)
}

/** Waits until the status line says these words. */
export async function says(page: Page, words: string | RegExp): Promise<void> {
  await page
    .locator('#status .words')
    .filter({ hasText: typeof words === 'string' ? new RegExp(`^${words}$`) : words })
    .waitFor()
}

/** The text of each block, without the carets of others inside it. */
export function paragraphs(page: Page): Promise<string[]> {
  return page.locator('.ProseMirror :is(p, h1, h2, h3, pre)').evaluateAll((elements) =>
    elements.map((element) => {
      const copy = element.cloneNode(true) as Element
      for (const caret of copy.querySelectorAll('.caret')) caret.remove()
      return copy.textContent ?? ''
    }),
  )
}

export async function code(page: Page): Promise<string> {
  const lines = await page.locator('.cm-line').evaluateAll((elements) =>
    elements.map((element) => {
      const copy = element.cloneNode(true) as Element
      for (const caret of copy.querySelectorAll('.caret')) caret.remove()
      return copy.textContent ?? ''
    }),
  )
  return lines.join('\n')
}

export async function nameOf(page: Page): Promise<string> {
  const label = await page.getByRole('button', { name: /^You: / }).getAttribute('aria-label')
  return (label ?? '').replace('You: ', '')
}

export async function rename(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: /^You: / }).click()
  await page.getByLabel('Your name').fill(name)
  await page.keyboard.press('Escape')
}

/** Opens the network panel, or closes it. */
export async function networkPanel(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Network' }).click()
}

export async function setOffline(page: Page, isOffline: boolean): Promise<void> {
  await page.getByRole('switch', { name: 'Offline' }).setChecked(isOffline)
}
