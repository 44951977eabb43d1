import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { ANSWERED_BY_THE_TEST, findChromium, launchChromium } from '../support/browser.ts'
import { TestServer } from '../support/testServer.ts'
import { blocksOf, root, snippetsOf } from './markdown.ts'

const BUILD_MS = 120_000
const TEST_MS = 60_000
const WAIT_MS = 20_000
const editors = ['tiptap', 'prosemirror', 'codemirror', 'quill', 'lexical']
/** What the pages tell their readers to start. */
const DOCUMENTED_URL = 'ws://127.0.0.1:1234'
/** Inside the project, so that the pages find their packages. */
const workshop = join(root, 'dist', '.cache', 'editors')
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

const stylesOf = (editor: string): string =>
  blocksOf(`client/docs/${editor}.md`)
    .filter(({ language }) => language === 'css')
    .map(({ code }) => code)
    .join('\n')

/** Writes the page as somebody who follows the instructions would: its HTML, its styles, and its first program. */
async function follow(editor: string, url: string): Promise<string> {
  const page = `client/docs/${editor}.md`
  const html = blocksOf(page).find(({ language }) => language === 'html')
  const [program] = snippetsOf(page)
  if (html === undefined || program === undefined) throw new Error(`${page} has no page to follow`)
  expect(program.code).toContain(DOCUMENTED_URL)
  const script = `${editor}.${program.extension}`
  await writeFile(
    join(workshop, script),
    program.code.replaceAll(DOCUMENTED_URL, url).replaceAll('my-document', editor),
  )
  const styles = `<style>${stylesOf(editor)}</style>`
  const head = `<!doctype html><meta charset="utf-8" /><link rel="icon" href="data:," />${styles}`
  const file = join(workshop, `${editor}.html`)
  await writeFile(file, `${head}${html.code}<script type="module" src="./${script}"></script>`)
  return file
}

const chromiumPath = findChromium()

describe.skipIf(chromiumPath === undefined)('the five-minute starts', () => {
  let browser: Browser
  let server: TestServer
  const complaints: string[] = []

  beforeAll(async () => {
    server = await TestServer.start({ engine: new MemoryEngine() })
    await rm(workshop, { recursive: true, force: true })
    await mkdir(workshop, { recursive: true })
    const input: string[] = []
    for (const editor of editors) input.push(await follow(editor, server.url))
    await build({
      root: workshop,
      base: './',
      configFile: false,
      logLevel: 'error',
      build: { outDir: join(workshop, 'pages'), rolldownOptions: { input }, chunkSizeWarningLimit: 5_000 },
      resolve: { alias: { 'scriptorium/client': join(root, 'client', 'index.ts') }, dedupe: ['yjs', 'y-protocols'] },
    })
    browser = await launchChromium(chromiumPath ?? '')
  }, BUILD_MS)
  afterAll(async () => {
    await browser.close()
    await server.dispose()
    await rm(workshop, { recursive: true, force: true })
  })

  async function open(editor: string): Promise<Page> {
    const page = await (await browser.newContext(ANSWERED_BY_THE_TEST)).newPage()
    page.setDefaultTimeout(WAIT_MS)
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
    })
    page.on('pageerror', (error) => complaints.push(error.message))
    const origin = `http://127.0.0.1:${server.port}`
    await page.route(`${origin}/pages/**`, async (route) => {
      const path = normalize(new URL(route.request().url()).pathname)
      const contentType = MEDIA_TYPES[extname(path)] ?? 'application/octet-stream'
      await route.fulfill({ body: await readFile(join(workshop, path)), contentType })
    })
    await page.goto(`${origin}/pages/${editor}.html`)
    return page
  }

  /** Paragraphs or lines, without the carets of others in them. */
  const linesOf = (page: Page): Promise<string[]> =>
    page.locator('#editor [contenteditable="true"]').evaluate((element) => {
      const copy = element.cloneNode(true) as Element
      for (const caret of copy.querySelectorAll('[class*="caret"], [class*="ySelection"], [class*="cursor"]'))
        caret.remove()
      return [...copy.children].map((line) => (line.textContent ?? '').replaceAll(/\u2060/g, ''))
    })
  const textOf = (page: Page): Promise<string> => page.locator('#editor [contenteditable="true"]').innerText()
  const sees = (page: Page, text: string): Promise<void> =>
    expect.poll(() => textOf(page), { timeout: WAIT_MS }).toContain(text)

  /** Where the caret of somebody else stands, whose name is Ada, as seen from the end of the line that ends so. */
  const caretOf = (page: Page, end: string): Promise<unknown> =>
    page.evaluate((text) => {
      const nodes: Text[] = []
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
      while (walker.nextNode()) nodes.push(walker.currentNode as Text)
      const line = document.createRange()
      line.selectNodeContents(nodes.find(({ data }) => data.endsWith(text)) ?? document.body)
      const place = line.getBoundingClientRect()
      const caret = nodes.find(({ data }) => data === 'Ada')?.parentElement?.getBoundingClientRect()
      if (caret === undefined) return 'none'
      return {
        isThin: caret.width < 50,
        isBesideIt: Math.abs(caret.left - place.right) < 4,
        isAboveIt: caret.bottom > place.top - 4 && caret.bottom < place.bottom && caret.top < place.top,
      }
    }, end)

  test.each(editors)('%s: what one window types, the other shows', { timeout: TEST_MS }, async (editor) => {
    complaints.length = 0
    const one = await open(editor)
    await one.locator('#editor [contenteditable="true"]').click()
    await one.keyboard.type('written here')
    const two = await open(editor)
    await sees(two, 'written here')
    await two.locator('#editor [contenteditable="true"]').click()
    await two.keyboard.press('Control+End')
    await two.keyboard.type(' and there')
    await sees(one, 'and there')
    await expect.poll(() => linesOf(two), { timeout: WAIT_MS }).toEqual(['written here and there'])
    await expect.poll(() => linesOf(one), { timeout: WAIT_MS }).toEqual(['written here and there'])
    if (stylesOf(editor) !== '') {
      const right = { isThin: true, isBesideIt: true, isAboveIt: true }
      await expect.poll(() => caretOf(one, 'and there'), { timeout: WAIT_MS }).toEqual(right)
    }
    expect(complaints).toEqual([])
    await one.context().close()
    await two.context().close()
  })
})
