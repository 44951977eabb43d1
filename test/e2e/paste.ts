import type { Page } from 'playwright-core'

/** Pastes into the text what another program has put on the clipboard. @param data content by media type */
export async function paste(page: Page, data: Readonly<Record<string, string>>): Promise<void> {
  await page.locator('.ProseMirror').evaluate((target, entries) => {
    const clipboardData = new DataTransfer()
    for (const [type, text] of entries) clipboardData.setData(type, text)
    target.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }))
  }, Object.entries(data))
}
