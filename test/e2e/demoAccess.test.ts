import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { chromiumPath, networkPanel, says, sees, TEST_MS, useDemo, write } from './demo.ts'

const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 } } as const
const SCHEMES = ['light', 'dark'] as const
/** WCAG 2.5.5: CSS pixels a finger needs. */
const TARGET = 44

const LOOKS = Object.keys(SIZES).flatMap((size) =>
  SCHEMES.map((scheme) => [size as keyof typeof SIZES, scheme] as const),
)

describe.skipIf(chromiumPath === undefined)('the demo: for everybody', { timeout: TEST_MS }, () => {
  const demo = useDemo()

  test.each(LOOKS)('%s, %s: no serious fault in any part of the page', async (size, colorScheme) => {
    const page = await demo.open('#access', { viewport: SIZES[size], colorScheme, reducedMotion: 'reduce' })
    await write(page, '# Title\nSome text with a comment.\n- a list\n\n> a quote\n\n[ ] a task')
    await page.keyboard.press('Control+A')
    await page.getByRole('button', { name: 'Comments' }).click()
    await page.getByLabel('New comment').fill('Said.')
    await page.keyboard.press('Enter')
    await page.getByText('Said.').waitFor()
    await demo.open('#access')
    await page.getByRole('button', { name: /: follow$/ }).waitFor()
    await findsNothing(page, 'text and comments')
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
    if (size === 'narrow') await page.getByRole('button', { name: 'Close the panel' }).click()
    await networkPanel(page)
    await findsNothing(page, 'network')
    expect(await tooSmall(page)).toEqual([])
    await page.getByRole('button', { name: 'Close the panel' }).click()
    for (const name of ['Menu', 'Share', /^You: /]) {
      await page.getByRole('button', { name }).click()
      await findsNothing(page, String(name))
      expect(await tooSmall(page)).toEqual([])
      await page.keyboard.press('Escape')
    }
    await page.keyboard.press('Control+/')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
    await findsNothing(page, 'shortcuts')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Code', exact: true }).first().click()
    await page.locator('.cm-content').click()
    await page.keyboard.type('// why\nconst kept = [1, "two", true].map((x) => x)')
    await findsNothing(page, 'code')
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0)
  })

  test('the code follows light and dark, and a choice outlives a reload', async () => {
    const page = await demo.open('?code#theme', { colorScheme: 'light' })
    const ground = (): Promise<string> =>
      page.locator('.cm-editor').evaluate((editor) => getComputedStyle(editor).backgroundColor)
    await page.locator('.cm-content').waitFor()
    const light = await ground()
    for (let press = 0; press < 2; press += 1) {
      await page.getByRole('button', { name: 'Menu' }).click()
      await page.getByRole('button', { name: /^Colours: / }).click()
      await page.keyboard.press('Escape')
    }
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.reload()
    await page.locator('.cm-content').waitFor()
    expect(await ground()).toBe(dark)
  })

  test('by keyboard alone: to the toolbar and along it, back, into the code, and to every shortcut', async () => {
    const page = await demo.open('#keys')
    await write(page, 'words')
    await page.keyboard.press('Control+A')
    await page.keyboard.press('Alt+F10')
    const focusIsOn = (label: string): Promise<void> =>
      expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(label)
    await focusIsOn('Undo')
    for (const label of ['Redo', 'Paragraph style', 'Bold']) {
      await page.keyboard.press('ArrowRight')
      if (label !== 'Redo') await focusIsOn(label)
    }
    await page.keyboard.press('Enter')
    await page.locator('.ProseMirror strong', { hasText: 'words' }).waitFor()
    await focusIsOn('Document text')
    await page.keyboard.press('Alt+F10')
    await focusIsOn('Bold')
    await page.keyboard.press('Home')
    await focusIsOn('Undo')
    await page.keyboard.press('Escape')
    await focusIsOn('Document text')

    await page.keyboard.press('Control+k')
    await page.keyboard.type('example.org')
    await page.keyboard.press('Enter')
    await page.locator('.ProseMirror a[href="https://example.org"]').waitFor()
    await page.keyboard.press('Control+Alt+n')
    await page.getByRole('heading', { name: 'Network' }).waitFor()
    await page.keyboard.press('Control+Alt+n')
    await page.keyboard.press('Control+Alt+m')
    await page.locator('.cm-content').waitFor()
    await page.keyboard.type('typed')
    await page.locator('.cm-line', { hasText: 'typed' }).waitFor()
    await page.keyboard.press('Control+Alt+m')
    await sees(page, 'words')
    await page.getByRole('button', { name: 'Share' }).focus()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor()
  })

  test('the page asks for nothing elsewhere and forbids what it does not need', async () => {
    const page = await demo.blank()
    const [answer] = await Promise.all([
      page.waitForResponse((response) => new URL(response.url()).pathname === '/'),
      page.goto(`${demo.origin}/#policy`),
    ])
    const policy = answer.headers()['content-security-policy'] ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe')
    await says(page, 'Saved')
    const isRefused = await page.evaluate(async () => {
      const script = document.createElement('script')
      script.textContent = 'window.wasRun = true'
      const violation = new Promise((resolve) => document.addEventListener('securitypolicyviolation', resolve))
      document.body.append(script)
      await violation
      return !('wasRun' in window)
    })
    expect(isRefused).toBe(true)
    expect(demo.complaints.splice(0).join()).toContain('Content Security Policy')
  })
})

async function findsNothing(page: Page, part: string): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze()
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
  const found = serious.map(
    ({ id, nodes }) => `${part}: ${id} ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
  )
  expect(found).toEqual([])
}

/** Controls a finger could miss: those in the text itself, and what only opens by a larger label, are as the text has them. */
function tooSmall(page: Page): Promise<string[]> {
  return page.locator('button, select, a, input:not(.unseen)').evaluateAll((controls, target) => {
    const small = controls.filter((control) => {
      if (control.closest('.ProseMirror, .cm-editor, .status') !== null || !control.checkVisibility()) return false
      const { width, height } = (control.closest('label') ?? control).getBoundingClientRect()
      const { width: own, height: tall } = control.getBoundingClientRect()
      return Math.max(width, own) < target || Math.max(height, tall) < target
    })
    return small.map((control) => control.outerHTML.slice(0, 120))
  }, TARGET)
}
