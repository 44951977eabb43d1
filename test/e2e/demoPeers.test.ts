import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, code, paragraphs, says, sees, TEST_MS, useDemo, WAIT_MS, write } from './demo.ts'
import { buildPages, servePages, wholeDocument } from './pages.ts'

describe.skipIf(chromiumPath === undefined)('the demo: beside stock providers', { timeout: TEST_MS }, () => {
  const demo = useDemo()
  let built: string
  beforeAll(async () => {
    built = await mkdtemp(join(tmpdir(), 'scriptorium-pages-'))
    await buildPages(join(built, 'pages'))
  }, TEST_MS)
  afterAll(async () => {
    await rm(built, { recursive: true, force: true })
  })

  test('two demo pages, CodeMirror on y-websocket and Tiptap on HocuspocusProvider share one room', async () => {
    const room = 'mixed/Straße 1'
    const [text, coder] = [await demo.open(`#${room}`), await demo.open(`?code#${room}`)]
    const stock = async (file: string) => {
      const page = await demo.blank()
      await servePages(page, demo.origin, built)
      await page.goto(`${demo.origin}/pages/${file}#${room}`)
      return page
    }
    const codemirror = await stock('codemirror.html')
    const tiptap = await stock('tiptap.html')
    await write(text, 'From the demo.')
    await tiptap.locator('.ProseMirror').getByText('From the demo.').waitFor()
    await coder.locator('.cm-content').click()
    await coder.keyboard.type('let demo = 1')
    const stockCode = async (): Promise<string> => (await wholeDocument(codemirror)).code
    await expect.poll(stockCode, { timeout: WAIT_MS }).toBe('let demo = 1')

    await tiptap.locator('.ProseMirror').click()
    await tiptap.keyboard.press('Control+End')
    await codemirror.locator('.cm-content').click()
    await codemirror.keyboard.press('Control+End')
    await coder.keyboard.press('Control+Home')
    await Promise.all([
      tiptap.keyboard.type(' From Tiptap.'),
      codemirror.keyboard.type('\nlet stock = 2'),
      text.keyboard.type(' More.'),
      coder.keyboard.type('// '),
    ])
    for (const page of [text, coder]) await says(page, 'Saved')
    await expect.poll(async () => (await paragraphs(text))[0]?.length, { timeout: WAIT_MS }).toBe(33)
    await expect.poll(() => code(coder), { timeout: WAIT_MS }).toBe('// let demo = 1\nlet stock = 2')
    const [paragraph] = await paragraphs(text)
    const expected = { code: '// let demo = 1\nlet stock = 2', richText: `<paragraph>${paragraph}</paragraph>` }
    for (const page of [codemirror, tiptap]) {
      await expect.poll(() => wholeDocument(page), { timeout: WAIT_MS }).toEqual(expected)
    }
    const late = await demo.open(`#${room}`)
    await sees(late, paragraph ?? '')
  })
})
