import { fileURLToPath } from 'node:url'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  chromiumPath,
  networkPanel,
  paragraphs,
  rename,
  says,
  sees,
  setOffline,
  TEST_MS,
  useDemo,
  WAIT_MS,
  write,
} from './demo.ts'
import { paste } from './paste.ts'

/** What Word puts on the clipboard, shortened. */
const FROM_WORD = fileURLToPath(new URL('./pages/word.html', import.meta.url))
const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

describe.skipIf(chromiumPath === undefined)('the demo: what newcomers do', { timeout: TEST_MS }, () => {
  const demo = useDemo()

  test('who opens a document and types has the caret before its first word', async () => {
    const author = await demo.open('#heading')
    await write(author, '# Title')
    await says(author, 'Saved')
    const reader = await demo.open('#heading')
    await sees(reader, 'Title')
    await reader.locator('.ProseMirror-focused').waitFor()
    await reader.keyboard.type('The ')
    await sees(author, 'The Title')
  })

  test('newcomers take different colours, whatever chance would have given them', async () => {
    const pages: Page[] = []
    for (let number = 0; number < 2; number++) {
      const page = await demo.blank()
      await page.addInitScript(() => {
        Math.random = () => 0.5
      })
      await page.goto(`${demo.origin}/#colours`)
      pages.push(page)
    }
    const colours = async (): Promise<number> => {
      const discs = pages.map((page) => page.locator('.avatar.me .disc'))
      const own = discs.map((disc) => disc.evaluate((element) => getComputedStyle(element).backgroundColor))
      return new Set(await Promise.all(own)).size
    }
    await expect.poll(colours, { timeout: WAIT_MS }).toBe(2)
  })

  test('behind a table at the end there is room to write', async () => {
    const page = await demo.open('#table')
    await write(page, 'Before.')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Insert a table' }).click()
    await page.keyboard.type('Cell')
    await page.locator('th', { hasText: 'Cell' }).waitFor()
    await page.keyboard.press('Control+End')
    await page.keyboard.type('After.')
    await page.locator('.tableWrapper + p', { hasText: 'After.' }).waitFor()
  })

  test('what comes from Word keeps its meaning', async () => {
    const page = await demo.open('#word')
    await page.locator('.ProseMirror').click()
    await paste(page, { 'text/html': await readFile(FROM_WORD, 'utf8') })
    await page.locator('.ProseMirror h1', { hasText: 'Report' }).waitFor()
    expect(await page.locator('.ProseMirror strong').allTextContents()).toEqual(['Bold'])
    expect(await page.locator('.ProseMirror em').allTextContents()).toEqual(['slanted'])
    expect(await page.locator('.ProseMirror td').allTextContents()).toEqual(['A', 'B'])
    await says(page, 'Saved')
  })

  test('an invitation to write stands on an empty page only', async () => {
    const page = await demo.open('#empty')
    const invitation = page.locator('[data-placeholder^="Write something"]')
    await invitation.waitFor()
    await write(page, 'Words')
    await page.keyboard.press('Enter')
    await invitation.waitFor({ state: 'detached' })
  })

  test('each paragraph runs as its script does', async () => {
    const page = await demo.open('#scripts')
    await page.locator('.ProseMirror').click()
    await page.keyboard.insertText('From the left 👩‍🚀')
    await page.keyboard.press('Enter')
    await page.keyboard.insertText('שלום עולם (a) 1.')
    const startsRight = (paragraph: number): Promise<boolean> =>
      page
        .locator('.ProseMirror p')
        .nth(paragraph)
        .evaluate((element) => {
          const range = document.createRange()
          range.selectNodeContents(element)
          const [words, line] = [range.getBoundingClientRect(), element.getBoundingClientRect()]
          return line.right - words.right < words.left - line.left
        })
    expect(await startsRight(0)).toBe(false)
    expect(await startsRight(1)).toBe(true)
  })

  test('back and forward lead through documents', async () => {
    const page = await demo.open('#first')
    await write(page, 'First.')
    await says(page, 'Saved')
    await page.evaluate(() => {
      location.hash = 'second'
    })
    await page.locator('#title', { hasText: 'Untitled' }).waitFor()
    await says(page, 'Saved')
    await write(page, 'Second.')
    await says(page, 'Saved')
    await page.goBack()
    await sees(page, 'First.')
    await page.goForward()
    await sees(page, 'Second.')
  })

  test('a tab that is closed offline leaves its words on the device, for the next one', async () => {
    const first = await demo.open('#tabs')
    await write(first, 'Here.')
    const second = await first.context().newPage()
    demo.listen(second)
    await second.goto(`${demo.origin}/#tabs`)
    await sees(second, 'Here.')
    await networkPanel(second)
    await setOffline(second, true)
    await write(second, ' And there.')
    await says(second, 'Offline: 11 changes kept on this device')
    second.on('dialog', (dialog) => void dialog.accept())
    await second.close()
    await first.reload()
    await sees(first, 'Here. And there.')
    await says(first, 'Saved')
    const elsewhere = await demo.open('#tabs')
    await sees(elsewhere, 'Here. And there.')
  })

  test('on a phone: tools leave the keyboard open, and long names and titles stay inside', async () => {
    const other = await demo.open('#phone')
    await rename(other, 'Wolfeschlegelsteinhausenbergerdo')
    const page = await demo.open('#phone', PHONE)
    await page.locator('.ProseMirror').tap()
    await page.evaluate(() => {
      document
        .querySelector('.ProseMirror')
        ?.addEventListener('blur', () => document.body.setAttribute('data-left', ''))
    })
    await page.getByRole('button', { name: 'Bold' }).tap()
    await page.keyboard.insertText('A title that is much too long for the head of a page on a phone')
    await page.locator('.ProseMirror strong').waitFor()
    expect(await page.locator('body[data-left]').count()).toBe(0)
    await page.getByRole('button', { name: /: follow$/ }).tap()
    await page.getByRole('button', { name: /^Following Wolfe/ }).waitFor()
    expect(await overflow(page)).toBe(0)
    const pill = await page.getByRole('button', { name: /^Following Wolfe/ }).boundingBox()
    expect(pill?.height).toBeLessThan(50)
    await page.setViewportSize({ width: 360, height: 400 })
    await page.getByRole('button', { name: 'Bold' }).waitFor()
    expect(await overflow(page)).toBe(0)
  })

  test('a large text is pasted in one go, and one can go on writing', async () => {
    const [writer, reader] = [await demo.open('#half a megabyte'), await demo.open('#half a megabyte')]
    const lines = Array.from(
      { length: 2_000 },
      (_, line) => `${line} ${'Lorem ipsum dolor sit amet, consectetur. '.repeat(6)}`,
    )
    await writer.locator('.ProseMirror').click()
    await paste(writer, { 'text/plain': lines.join('\n') })
    await writer.keyboard.type('the end')
    await expect.poll(async () => (await paragraphs(reader)).at(-1), { timeout: WAIT_MS }).toContain('the end')
    expect((await paragraphs(reader)).length).toBe(lines.length)
    await says(writer, 'Saved')
  })
})

/** Pixels the page is wider than its window. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth))
}
