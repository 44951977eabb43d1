import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import type { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { afterEach, describe, expect, test } from 'vitest'
import { chromiumPath, code, paragraphs, says, sees, TEST_MS, useDemo, WAIT_MS, write } from './demo.ts'
import { paste } from './paste.ts'
import { joinWithStockPeer } from './stockPeer.ts'

/** One green pixel. */
const PICTURE = fileURLToPath(new URL('./pages/pixel.png', import.meta.url))

describe.skipIf(chromiumPath === undefined)('the demo: what can be written', { timeout: TEST_MS }, () => {
  const demo = useDemo()
  const providers: WebsocketProvider[] = []
  afterEach(async () => {
    for (const provider of providers.splice(0)) provider.destroy()
  })

  /** A document of a stock provider in this process, in sync. */
  async function join(room: string): Promise<Y.Doc> {
    const provider = await joinWithStockPeer(demo.origin, room)
    providers.push(provider)
    return provider.doc
  }

  test('undo takes back what one has written oneself, never what others have', async () => {
    const [first, second] = [await demo.open('#undo'), await demo.open('#undo')]
    await write(first, '- mine')
    await sees(second, 'mine')
    await write(second, ' and theirs')
    await sees(first, 'mine and theirs')
    // Undoing the list, the item and the paragraph: another's words are in all of them.
    for (let step = 0; step < 8; step += 1) await first.keyboard.press('Control+z')
    await expect.poll(() => textOf(first), { timeout: WAIT_MS }).toContain(' and theirs')
    await expect.poll(() => textOf(second), { timeout: WAIT_MS }).toBe(await textOf(first))
    expect(await textOf(second)).not.toContain('mine')
    for (let step = 0; step < 8; step += 1) await second.keyboard.press('Control+z')
    await expect.poll(() => textOf(first), { timeout: WAIT_MS }).not.toContain('theirs')
  })

  test('what arrives is shown even where the caret cannot be put back into it', async () => {
    const [author, reader] = [await demo.open('#lost'), await demo.open('#lost')]
    await write(author, 'Before.')
    await sees(reader, 'Before.')
    await loseCaret(reader)
    await author.keyboard.type(' After.')
    await sees(reader, 'Before. After.')
    await write(reader, ' Mine.')
    await sees(author, 'Before. After. Mine.')
  })

  test('code: both write at once, carets carry names, undo is one’s own, and Escape then Tab leads out', async () => {
    const [first, second] = [await demo.open('?code#code'), await demo.open('?code#code')]
    await first.locator('.cm-content').click()
    await first.keyboard.type('const a = 1\nconst b = 2')
    await expect.poll(() => code(second), { timeout: WAIT_MS }).toBe('const a = 1\nconst b = 2')
    await second.locator('.cm-content').click()
    await second.keyboard.press('Control+Home')
    await Promise.all([first.keyboard.type('0 // first'), second.keyboard.type('// second\n')])
    const together = '// second\nconst a = 1\nconst b = 20 // first'
    for (const page of [first, second]) await expect.poll(() => code(page), { timeout: WAIT_MS }).toBe(together)
    await second.locator('.caret').waitFor({ state: 'attached' })
    await first.locator('.caret').waitFor({ state: 'attached' })
    for (let step = 0; step < 5; step += 1) await second.keyboard.press('Control+z')
    for (const page of [first, second]) {
      await expect.poll(() => code(page), { timeout: WAIT_MS }).toBe('const a = 1\nconst b = 20 // first')
    }
    await first.locator('.cm-content').click()
    await first.keyboard.press('Escape')
    await first.keyboard.press('Tab')
    expect(await first.evaluate(() => document.activeElement?.id)).not.toBe('code')
    await first.getByLabel('Language').selectOption('markdown')
    await expect.poll(() => second.getByLabel('Language').inputValue(), { timeout: WAIT_MS }).toBe('markdown')
  })

  test('a large document is pasted and arrives whole', async () => {
    const [writer, reader] = [await demo.open('#large'), await demo.open('#large')]
    const lines = Array.from({ length: 1_500 }, (_, line) =>
      `Paragraph ${line}, which says nothing in many words. `.repeat(3),
    )
    await writer.locator('.ProseMirror').click()
    await paste(writer, { 'text/html': lines.map((line) => `<p style="color: red">${line}</p>`).join('') })
    await says(writer, 'Saved')
    await expect.poll(async () => (await paragraphs(reader)).length, { timeout: WAIT_MS }).toBe(lines.length)
    expect((await paragraphs(reader)).map((line) => line.trim())).toEqual(lines.map((line) => line.trim()))
  })

  test('pasted styles are read for what they mean and leave nothing behind', async () => {
    const page = await demo.open('#styles')
    await page.locator('.ProseMirror').click()
    const html =
      '<b style="font-weight:normal" id="docs-internal"><p><span style="font-weight:700">bold</span> plain ' +
      '<span style="font-style:italic">slanted</span></p></b><p><a href="javascript:alert(1)">bad</a></p>' +
      '<img src="https://example.org/cat.png" alt="a cat">'
    await paste(page, { 'text/html': html })
    await sees(page, 'bold plain slanted')
    expect(await page.locator('.ProseMirror strong').allTextContents()).toEqual(['bold'])
    expect(await page.locator('.ProseMirror em').allTextContents()).toEqual(['slanted'])
    expect(await page.locator('.ProseMirror a').count()).toBe(0)
    // A picture from elsewhere would tell its server who reads this.
    await page.getByText('Picture not loaded: a cat').waitFor()
    expect(await page.locator('.ProseMirror img:not(.ProseMirror-separator)').count()).toBe(0)
  })

  test('what this page does not know is shown, not destroyed', async () => {
    const doc = await join('newer')
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.insert(0, [new Y.XmlText('Known')])
    doc.getXmlFragment('default').insert(0, [paragraph])
    const page = await demo.open('#newer')
    await sees(page, 'Known')

    const block = new Y.XmlElement('holographicChart')
    block.insert(0, [new Y.XmlText('from the future')])
    doc.getXmlFragment('default').insert(1, [block])
    await page.getByRole('alert').getByText('holographicChart').waitFor()
    await says(page, 'Saved')
    expect(await page.locator('.ProseMirror').getAttribute('contenteditable')).toBe('false')
    await page.reload()
    await page.getByRole('alert').getByText('holographicChart').waitFor()
    const expected = '<paragraph>Known</paragraph><holographicchart>from the future</holographicchart>'
    expect((await join('newer')).getXmlFragment('default').toJSON()).toBe(expected)

    const style = await join('newer-style')
    const text = new Y.XmlText()
    text.insert(0, 'shining', { glow: {} })
    const known = new Y.XmlElement('paragraph')
    known.insert(0, [text])
    style.getXmlFragment('default').insert(0, [known])
    const styled = await demo.open('#newer-style')
    await styled.getByRole('alert').getByText('glow').waitFor()
    expect((await join('newer-style')).getXmlFragment('default').toJSON()).toContain('shining')
  })

  test('presence that makes no sense does not break the page', async () => {
    const page = await demo.open('#strange')
    await write(page, 'Calm.')
    await join('strange')
    const [provider] = providers
    for (const cursor of [1, { anchor: 7, head: [] }, { anchor: { item: { client: 'x' } }, head: { type: 'y' } }]) {
      provider?.awareness.setLocalState({
        user: { name: '<b>x</b>', color: 'red; background: url(//x)' },
        cursor,
        mode: 9,
      })
      await page.getByRole('button', { name: '<b>x</b>: follow' }).waitFor()
      provider?.awareness.setLocalState({ user: 'nobody' })
      await page.getByRole('button', { name: '<b>x</b>: follow' }).waitFor({ state: 'detached' })
    }
    await write(page, ' Still.')
    await sees(page, 'Calm. Still.')
  })

  test('pictures are kept in the document; one that is too large, or no picture, is refused in words', async () => {
    const [first, second] = [await demo.open('#pictures'), await demo.open('#pictures')]
    await first.locator('.ProseMirror').click()
    await first.getByRole('button', { name: 'Picture' }).click()
    await first.getByText('300 kB').waitFor()
    await first.getByLabel('Picture files').setInputFiles(PICTURE)
    await second.locator('.ProseMirror img[src^="data:image/webp"][alt="pixel"]').waitFor()
    await first.getByRole('button', { name: 'Picture' }).click()
    await first.getByLabel('Describe the picture').fill('A green dot')
    await first.keyboard.press('Enter')
    await second.locator('.ProseMirror img[alt="A green dot"]').waitFor()
    await pasteFile(first, { name: 'broken.png', type: 'image/png', bytes: 10 })
    await first.getByText('“broken.png” cannot be read as a picture.').first().waitFor()
    await pasteFile(first, { name: 'huge.png', type: 'image/png', bytes: 21 * 1024 * 1024 })
    await first.getByText('“huge.png” is larger than 20 MB.').first().waitFor()
  })

  test('comments belong to the document: on a passage, answered, resolved, and with their words marked', async () => {
    const [first, second] = [await demo.open('#comments'), await demo.open('#comments')]
    await write(first, 'Questionable claim.')
    await first.keyboard.press('Control+A')
    await first.getByRole('button', { name: 'Comments' }).click()
    await first.getByLabel('New comment').fill('Who says so?')
    await first.keyboard.press('Enter')
    await second.locator('.ProseMirror .remark', { hasText: 'Questionable claim.' }).waitFor()
    await second.getByRole('button', { name: 'Comments: 1' }).click()
    await second.getByText('Who says so?').waitFor()
    await second.getByLabel(/^Reply to/).fill('I do.')
    await second.keyboard.press('Enter')
    await first.getByText('I do.').waitFor()
    await write(second, ' More.')
    await first.locator('.ProseMirror .remark', { hasText: 'Questionable claim.' }).waitFor()
    await first.getByRole('button', { name: 'Resolve' }).click()
    await second.locator('.ProseMirror .remark').waitFor({ state: 'detached' })
    await second.reload()
    await second.getByRole('button', { name: 'Comments' }).click()
    await second.getByText('I do.').waitFor()
    await second.getByRole('button', { name: 'Delete' }).click()
    await first.getByText('No comments yet.').waitFor()
  })
})

/** Makes the binding fail, once, as it does when the words around the caret are gone. */
async function loseCaret(page: Page): Promise<void> {
  await page.locator('.ProseMirror').evaluate((element) => {
    const { editor } = element as unknown as { editor: { state: Record<string, { binding: object }> } }
    const binding = editor.state['y-sync$']?.binding ?? {}
    const fail = (): never => {
      Reflect.deleteProperty(binding, '_tr')
      throw new RangeError('Position 10 out of range')
    }
    Object.defineProperty(binding, '_tr', { configurable: true, get: fail })
  })
}

function textOf(page: Page): Promise<string> {
  return page.locator('.ProseMirror').evaluate((text) => {
    const copy = text.cloneNode(true) as Element
    for (const caret of copy.querySelectorAll('.caret')) caret.remove()
    return copy.textContent ?? ''
  })
}

async function pasteFile(page: Page, file: { name: string; type: string; bytes: number }): Promise<void> {
  await page.locator('.ProseMirror').evaluate((target, { name, type, bytes }) => {
    const clipboardData = new DataTransfer()
    clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type }))
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
  }, file)
}
