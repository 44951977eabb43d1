import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { chromiumPath, says, TEST_MS, useDemo } from './demo.ts'
import { joinWithStockPeer } from './stockPeer.ts'

/** Milliseconds. */
const WINDOW_REST_MS = 2_500

describe.skipIf(chromiumPath === undefined)(
  'the demo on a machine that does nothing else',
  { timeout: TEST_MS },
  () => {
    const demo = useDemo()

    test('prints how long it takes from opening a page to its first key being elsewhere', async () => {
      const peer = await joinWithStockPeer(demo.origin, 'timing')
      const page = await demo.blank()
      const focused = toldWhenFocused(page)
      // A window that has just been opened keeps both of two slow cores busy with itself, which is not what is measured.
      await new Promise((resolve) => setTimeout(resolve, WINDOW_REST_MS))
      const arrived = new Promise<number>((resolve) => peer.doc.once('update', () => resolve(performance.now())))
      const start = performance.now()
      const gone = page.goto(`${demo.origin}/#timing`)
      await focused
      const shown = performance.now() - start
      await page.keyboard.press('x')
      const synced = (await arrived) - start
      await gone
      expect(peer.doc.getXmlFragment('default').toJSON()).toContain('x')
      peer.destroy()
      await says(page, 'Saved')
      const report = `editor after ${Math.round(shown)} ms, its first key saved and at a peer after ${Math.round(synced)} ms`
      process.stdout.write(`demo on loopback, nothing cached, window at rest, peer in this process: ${report}\n`)
    })
  },
)

/** Resolves when the text takes the focus. The page says so itself: whoever keeps asking it takes its time. */
async function toldWhenFocused(page: Page): Promise<void> {
  let isTold = (): void => undefined
  const told = new Promise<void>((resolve) => {
    isTold = resolve
  })
  await page.exposeFunction('tellFocused', isTold)
  await page.addInitScript(() => {
    addEventListener('focusin', ({ target }) => {
      if (target instanceof Element && target.matches('.ProseMirror')) Reflect.get(globalThis, 'tellFocused')()
    })
  })
  await told
}
