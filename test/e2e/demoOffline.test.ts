import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { chromiumPath, code, networkPanel, says, sees, setOffline, TEST_MS, useDemo, WAIT_MS, write } from './demo.ts'

describe.skipIf(chromiumPath === undefined)('the demo: without a connection', { timeout: TEST_MS }, () => {
  const demo = useDemo()

  test('offline edits survive a reload and arrive', async () => {
    const writer = await demo.open('#kept')
    const reader = await demo.open('#kept')
    await write(writer, 'Online.')
    await sees(reader, 'Online.')
    await says(writer, 'Saved')
    await keptHere(writer)
    await networkPanel(writer)
    await setOffline(writer, true)
    await write(writer, ' Offline.')
    await says(writer, 'Offline: 9 changes kept on this device')
    await sees(reader, 'Online.')

    // Without its server, the page itself comes from this device, and still knows what has never been saved.
    await demo.kill()
    writer.on('dialog', (dialog) => void dialog.accept())
    await writer.reload()
    await sees(writer, 'Online. Offline.')
    await says(writer, /^Offline: \d+ changes? kept on this device$/)
    await write(writer, ' Later.')

    await demo.restart()
    await says(writer, 'Saved')
    await sees(reader, 'Online. Offline. Later.')
    const third = await demo.open('#kept')
    await sees(third, 'Online. Offline. Later.')
  })

  test('both pages work without the server: the code is loaded from this device, too', async () => {
    const page = await demo.open('#shell')
    await write(page, 'Text.')
    await says(page, 'Saved')
    await keptHere(page)
    await demo.kill()
    page.on('dialog', (dialog) => void dialog.accept())
    await page.reload()
    await sees(page, 'Text.')
    await page.getByRole('button', { name: 'Code', exact: true }).first().click()
    await page.locator('.cm-content').click()
    await page.keyboard.type('offline code')
    await demo.restart()
    await says(page, 'Saved')
    const reader = await demo.open('?code#shell')
    await expect.poll(() => code(reader), { timeout: WAIT_MS }).toBe('offline code')
  })

  test('two people write apart from each other and have the same when both are back', async () => {
    const [first, second] = [await demo.open('#apart'), await demo.open('#apart')]
    await write(first, 'Start.')
    await sees(second, 'Start.')
    for (const page of [first, second]) {
      await networkPanel(page)
      await setOffline(page, true)
    }
    await write(first, ' first')
    await write(second, ' second')
    for (const page of [first, second]) await setOffline(page, false)
    for (const page of [first, second]) await says(page, 'Saved')
    const text = (page: typeof first): Promise<string> => page.locator('.ProseMirror').innerText()
    await expect.poll(() => text(first), { timeout: WAIT_MS }).toContain('second')
    await expect.poll(() => text(second), { timeout: WAIT_MS }).toContain('first')
    await expect.poll(async () => (await text(first)) === (await text(second)), { timeout: WAIT_MS }).toBe(true)
  })
})

/**
 * Waits until the page says that it needs no server. While it has one: it keeps itself two seconds after it has loaded, and
 * one that has gone offline before that has nowhere to fetch itself from.
 */
async function keptHere(page: Page): Promise<void> {
  await page.getByText('Available offline').waitFor()
}
