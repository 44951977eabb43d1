import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { authenticated } from '../../shared/wire/messages.ts'
import { chromiumPath, says, sees, TEST_MS, useDemo, WAIT_MS, write } from './demo.ts'

describe.skipIf(chromiumPath === undefined)('the demo: what the status line says', { timeout: TEST_MS }, () => {
  const demo = useDemo()

  test('a page of which a part does not come says so', async () => {
    const page = await demo.blank()
    await page.route(/\/assets\/text-/, (route) => route.abort())
    await page.goto(`${demo.origin}/#torn`)
    await page.locator('.toast', { hasText: 'A part of this page could not be loaded' }).waitFor()
    expect(demo.complaints.join()).toContain('/assets/text-')
    demo.complaints = [] // they were expected
  })

  test('every word in its order: connecting, saved, saving, lost, offline, back', async () => {
    const page = await demo.blank()
    const words = await recordStatus(page)
    await page.goto(`${demo.origin}/#words`)
    await says(page, 'Saved')
    await page.locator('.ProseMirror').click()
    await page.keyboard.insertText('One.') // at once: whoever stops for a moment is told "Saved" in between
    await says(page, 'Saved')
    await demo.kill()
    await says(page, 'Reconnecting')
    await page.locator('#status .countdown', { hasText: /^in \d s$/ }).waitFor()
    await write(page, 'Two')
    await says(page, 'Offline: 3 changes kept on this device')
    await page.locator('#status .countdown', { hasText: /^reconnecting in \d s$/ }).waitFor()
    await demo.restart()
    await says(page, 'Saved')
    const expected = [
      'Connecting…',
      'Saved',
      'Saving…',
      'Saved',
      'Reconnecting',
      'Offline: 3 changes kept on this device',
    ]
    const said = await words()
    expect(said.filter((each) => expected.includes(each)).slice(0, expected.length)).toEqual(expected)
    expect(said.at(-1)).toBe('Saved')
    expect(
      said.filter((each) => !/^(?:Connecting…|Sav|Reconnecting$|Offline: \d changes? kept on)/.test(each)),
    ).toEqual([])
  })

  test('“Retry now” does not wait', async () => {
    const page = await demo.open('#retry')
    await says(page, 'Saved')
    await demo.kill()
    const button = page.getByRole('button', { name: 'Retry now' })
    await page.locator('#status .countdown', { hasText: /[45] s$/ }).waitFor()
    const attempt = page.waitForEvent('websocket')
    const pressedAt = Date.now()
    await button.click()
    await attempt
    expect(Date.now() - pressedAt).toBeLessThan(3_000)
    await demo.restart()
    await says(page, 'Saved')
    await button.waitFor({ state: 'hidden' })
  })

  test('who may only read is told so, reads, and is offered nothing else', async () => {
    const author = await demo.open('#lecture')
    await write(author, 'Words to read.')
    await says(author, 'Saved')
    const reader = await demo.blank()
    await restrict(reader)
    await reader.goto(`${demo.origin}/#lecture`)
    await says(reader, 'Read-only')
    await sees(reader, 'Words to read.')
    await expect.poll(() => reader.locator('.ProseMirror').getAttribute('contenteditable')).toBe('false')
    await reader.getByRole('button', { name: 'Bold', disabled: true }).waitFor()
    await write(author, ' More.')
    await sees(reader, 'Words to read. More.')
    await says(reader, 'Read-only')
  })

  test('a document that can be opened without a connection says so', async () => {
    const page = await demo.open('#kept')
    await page.getByText('Available offline').waitFor()
    await page.evaluate(() => indexedDB.databases()).then((stores) => expect(stores.length).toBe(1))
    // Where the browser keeps nothing, nothing is claimed.
    const elsewhere = await demo.blank()
    await elsewhere.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }))
    await elsewhere.goto(`${demo.origin}/#kept`)
    await says(elsewhere, 'Saved')
    await elsewhere.evaluate(() => navigator.serviceWorker.ready)
    expect(await elsewhere.getByText('Available offline').isVisible()).toBe(false)
  })

  test('who is refused is told why, and is not offered to write', async () => {
    const page = await demo.open(`#${'x'.repeat(600)}`)
    await says(page, /^No access: /)
    await page.getByRole('alert').getByText('You cannot open this document').waitFor()
    await expect.poll(() => page.locator('.ProseMirror').getAttribute('contenteditable')).toBe('false')
    expect(await page.locator('[data-placeholder*="Write something"]').count()).toBe(0)
    await page.getByRole('link', { name: 'Start a new document', exact: true }).click()
    await expect.poll(() => page.url(), { timeout: WAIT_MS }).toMatch(/#[0-9a-f]{32}$/)
    await says(page, 'Saved')
  })
})

/** Everything the status line says, from before the page's first script on. */
async function recordStatus(page: Page): Promise<() => Promise<string[]>> {
  await page.addInitScript(() => {
    const said: string[] = []
    Object.assign(globalThis, { said })
    const look = (): void => {
      const text = document.querySelector('#status .words')?.textContent
      if (typeof text === 'string' && text !== said.at(-1)) said.push(text)
    }
    new MutationObserver(look).observe(document, { childList: true, characterData: true, subtree: true })
  })
  return () => page.evaluate(() => (globalThis as unknown as { said: string[] }).said)
}

/** Stands between a page and the server, and tells the page that it may only read, as a server with accounts does. */
async function restrict(page: Page): Promise<void> {
  await page.routeWebSocket(/./, (socket) => {
    const server = socket.connectToServer()
    let isTold = false
    server.onMessage((frame) => {
      if (!isTold) socket.send(Buffer.from(authenticated('readonly')))
      isTold = true
      socket.send(frame)
    })
  })
}
