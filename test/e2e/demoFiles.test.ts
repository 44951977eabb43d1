import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import * as Y from 'yjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chromiumPath, code, paragraphs, says, sees, TEST_MS, useDemo, WAIT_MS } from './demo.ts'

const MARKDOWN = `# Field notes

We met at **nine** and went through the *letters* of \`1848\`, with ~~three~~ [two](https://example.org/) readers.

- a receipt
- an inventory
  1. first
  2. second

- [ ] photograph
- [x] ask

> The ink has kept its colour.

\`\`\`js
const kept = true
\`\`\`

---

| Name | Year |
| ---- | ---- |
| Ada  | 1843 |
`

describe.skipIf(chromiumPath === undefined)('the demo: files in and out', { timeout: TEST_MS }, () => {
  const demo = useDemo()
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'scriptorium-files-'))
  })
  afterAll(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  /** Puts a file with this content through the page's import. */
  async function importAs(page: Page, name: string, content: string | Uint8Array): Promise<void> {
    const path = join(directory, name)
    await writeFile(path, content)
    await page.getByRole('button', { name: 'Menu' }).click()
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: /^Import/ }).click(),
    ])
    await chooser.setFiles(path)
  }

  test('what is exported is what is written: as HTML, Markdown, JSON, code and .ydoc', async () => {
    const page = await demo.open('#export')
    await page.locator('.ProseMirror').waitFor()
    await importAs(page, 'notes.md', MARKDOWN)
    await sees(page, 'Field notes')
    await page.getByRole('button', { name: 'Code', exact: true }).first().click()
    await page.locator('.cm-content').click()
    await page.keyboard.type('let x = "<&>"')
    await says(page, 'Saved')
    const text = await paragraphs(page)

    const html = await exportAs(page, 'HTML')
    expect(html.name).toBe('Field notes.html')
    const reader = await demo.blank()
    await reader.setContent(html.content.toString())
    const shown = reader.locator(':is(p, h1, h2, h3, pre)')
    expect(await shown.evaluateAll((elements) => elements.map((element) => element.textContent))).toEqual(text)
    expect(await reader.locator('a').getAttribute('href')).toBe('https://example.org/')
    expect(await reader.locator('td, th').allTextContents()).toEqual(['Name', 'Year', 'Ada', '1843'])

    const json = JSON.parse((await exportAs(page, 'JSON')).content.toString())
    const markdown = (await exportAs(page, 'Markdown')).content.toString()
    for (const part of [
      '# Field notes',
      '**nine**',
      '*letters*',
      '`1848`',
      '~~three~~',
      '- [x] ask',
      'const kept = true',
    ]) {
      expect(markdown).toContain(part)
    }
    const copy = await demo.open('#copy')
    await copy.locator('.ProseMirror').waitFor()
    await importAs(copy, 'copy.md', markdown)
    await sees(copy, 'Field notes')
    expect(JSON.parse((await exportAs(copy, 'JSON')).content.toString())).toEqual(json)

    expect((await exportAs(page, 'Code, as text')).content.toString()).toBe('let x = "<&>"')
    const doc = new Y.Doc()
    const everything = (await exportAs(page, 'Everything (.ydoc)')).content
    Y.applyUpdate(doc, everything)
    expect(doc.getText('code').toJSON()).toBe('let x = "<&>"')
    expect(doc.getXmlFragment('default').toJSON()).toContain('Field notes')

    const other = await demo.open('#other')
    await other.locator('.ProseMirror').waitFor()
    await importAs(other, 'all.ydoc', everything)
    await sees(other, 'Field notes')
    expect(await paragraphs(other)).toEqual(text)
    await says(other, 'Saved')
    await other.getByRole('button', { name: 'Code', exact: true }).first().click()
    await expect.poll(() => code(other), { timeout: WAIT_MS }).toBe('let x = "<&>"')
    // Merging the same file again changes nothing.
    await importAs(other, 'all.ydoc', everything)
    await other.getByText('“all.ydoc” was imported.').first().waitFor()
    expect(JSON.parse((await exportAs(other, 'JSON')).content.toString())).toEqual(json)
  })

  test('a file that is no document, or holds what the page does not know, changes nothing', async () => {
    const page = await demo.open('#refused')
    await page.locator('.ProseMirror').waitFor()
    await importAs(page, 'noise.ydoc', new Uint8Array([1, 2, 3, 4, 5]))
    await page.getByText('The file is not a Yjs document.').first().waitFor()
    const newer = new Y.Doc()
    newer.getXmlFragment('default').insert(0, [new Y.XmlElement('hologram')])
    await importAs(page, 'newer.ydoc', Y.encodeStateAsUpdate(newer))
    await page.getByText('The file holds “hologram”, which this page does not know.').first().waitFor()
    await importAs(page, 'empty.md', '')
    await page.getByText('“empty.md” is empty.').first().waitFor()
    expect(await paragraphs(page)).toEqual([''])
    await says(page, 'Saved')
  })

  test('on paper there is nothing but the text', async () => {
    const page = await demo.open('#print')
    await page.locator('.ProseMirror').waitFor()
    await importAs(page, 'notes.md', MARKDOWN)
    await sees(page, 'Field notes')
    await page.emulateMedia({ media: 'print' })
    for (const part of ['.bar', '.tools', '.toast']) expect(await page.locator(part).isVisible()).toBe(false)
    expect(await page.locator('.ProseMirror').isVisible()).toBe(true)
    expect(await page.locator('html').evaluate((html) => html.scrollHeight >= html.clientHeight)).toBe(true)
  })
})

async function exportAs(page: Page, format: string): Promise<{ name: string; content: Buffer }> {
  await page.getByRole('button', { name: 'Menu' }).click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: format, exact: true }).click(),
  ])
  return { name: download.suggestedFilename(), content: await readFile(await download.path()) }
}
