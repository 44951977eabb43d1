import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import {
  chromiumPath,
  code,
  nameOf,
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

describe.skipIf(chromiumPath === undefined)('the demo: several people in one document', { timeout: TEST_MS }, () => {
  const demo = useDemo()

  test('P1: two people write at once, the server is killed meanwhile, and nothing anyone has seen is lost', async () => {
    const first = await demo.open('#shared text')
    const second = await demo.open('#shared text')
    await write(first, 'One:')
    await first.keyboard.press('Enter')
    await first.keyboard.type('Two:')
    await sees(second, 'Two:')
    await placeCaretAfter(first, 'One:')
    await placeCaretAfter(second, 'Two:')
    await Promise.all([first.keyboard.type(' the quick brown fox'), second.keyboard.type(' jumps over the dog')])
    for (const page of [first, second]) {
      await sees(page, 'One: the quick brown fox')
      await sees(page, 'Two: jumps over the dog')
      await says(page, 'Saved')
    }

    const words = await watchStatus(first)
    const writing = [type(first, ', first while it died'), type(second, ', second while it died')]
    await demo.kill()
    await Promise.all(writing)
    await says(first, /^Offline: \d+ changes? kept on this device$/)
    await says(second, /^Offline: \d+ changes? kept on this device$/)
    await first.getByRole('button', { name: 'Retry now' }).waitFor()
    await warnsBeforeClosing(first)
    await demo.restart()

    const [one, two] = [
      'One: the quick brown fox, first while it died',
      'Two: jumps over the dog, second while it died',
    ]
    for (const page of [first, second]) {
      await says(page, 'Saved')
      await sees(page, one)
      await sees(page, two)
    }
    expect(await words()).toMatch(/Saved.*(?:Saving…|Offline).*Offline: \d+ changes? kept on this device.*Saved$/s)
    demo.missNoMore()
    const third = await demo.open('#shared text')
    await sees(third, two)
    expect(await paragraphs(third)).toEqual([one, two])
  })

  test('P1: what the page calls "Saved" is there after SIGKILL although no other page ever saw it', async () => {
    const author = await demo.open('#alone')
    await says(author, 'Saved')
    await write(author, 'Only I have seen this.')
    await says(author, 'Saved')
    await demo.kill()
    await author.context().close()
    await demo.restart()
    demo.missNoMore()
    await sees(await demo.open('#alone'), 'Only I have seen this.')
  })

  test('P1: "Saved" waits for the confirmation of every change, however many there are', async () => {
    const author = await demo.blank()
    const gate = await holdConfirmations(author)
    await author.goto(`${demo.origin}/#held`)
    await says(author, 'Saved')
    gate.close()
    await write(author, 'Not on any disk yet.')
    await says(author, 'Saving…')
    const reader = await demo.open('#held')
    await sees(reader, 'Not on any disk yet.')
    // The server has all of it, and has said so; as long as the page has not heard it, it must not claim it.
    await says(author, 'Saving…')
    await warnsBeforeClosing(author)
    gate.open()
    await says(author, 'Saved')
  })

  test('P4: carets carry names, also after a change of name; names show while carets move; who leaves is gone', async () => {
    const first = await demo.open('#people')
    const announced = await recordAnnouncements(first)
    const second = await demo.open('#people')
    await rename(second, 'Ada')
    await first.getByRole('button', { name: 'Ada: follow' }).waitFor()
    await write(second, 'I am here.')
    const caret = first.locator('.caret', { hasText: 'Ada' })
    await caret.waitFor()
    await first.locator('.caret[data-moving]').waitFor()
    await first.locator('.caret:not([data-moving])').waitFor({ state: 'attached' })
    const moves = first.locator('.caret[data-moving]').waitFor() // for two and a half seconds only
    await second.keyboard.press('Home')
    await moves
    await rename(second, 'Grace')
    await second.locator('.ProseMirror').click()
    await first.locator('.caret', { hasText: 'Grace' }).waitFor({ state: 'attached' })
    // Under the name they had when it was their turn to be announced.
    await expect.poll(announced, { timeout: WAIT_MS }).toMatch(/^.+ joined\.$/m)
    await second.context().close()
    await first.getByRole('button', { name: 'Grace: follow' }).waitFor({ state: 'detached' })
    await first.getByText('Grace left.').waitFor({ state: 'attached' })
  })

  test('more people than there is room for are behind a number', async () => {
    const first = await demo.open('#crowd', { viewport: { width: 360, height: 740 } })
    for (let count = 0; count < 4; count += 1) await demo.open('#crowd')
    // By key: a click is lost when somebody's colour changes between its two halves.
    await first.getByRole('button', { name: '2 more' }).press('Enter')
    await expect.poll(() => first.getByRole('dialog', { name: 'Everybody here' }).getByRole('button').count()).toBe(4)
  })

  test('following keeps up with somebody, into the code as well, until one writes oneself', async () => {
    const leader = await demo.open('#follow')
    await write(leader, Array.from({ length: 60 }, (_, line) => `Line ${line}`).join('\n'))
    const follower = await demo.open('#follow')
    await sees(follower, 'Line 59')
    await follower.getByRole('button', { name: `${await nameOf(leader)}: follow` }).click()
    const isSeen = (): Promise<boolean> =>
      follower.locator('.caret').evaluate((caret) => {
        const box = caret.getBoundingClientRect()
        return box.top > 0 && box.bottom < innerHeight
      })
    await expect.poll(isSeen, { timeout: WAIT_MS }).toBe(true)
    await leader.locator('.ProseMirror p', { hasText: /^Line 0$/ }).click()
    await expect.poll(isSeen, { timeout: WAIT_MS }).toBe(true)
    await leader.getByRole('button', { name: 'Code', exact: true }).first().click()
    await leader.locator('.cm-content').click()
    await leader.keyboard.type('let x = 1')
    await expect.poll(() => code(follower), { timeout: WAIT_MS }).toBe('let x = 1')
    await follower.locator('.cm-content').click()
    await follower.keyboard.type('// mine')
    await follower.getByRole('button', { name: /^Following/ }).waitFor({ state: 'hidden' })
  })

  test('a page opened without a name makes an unguessable one and keeps it in its address', async () => {
    const first = await demo.open('')
    const second = await demo.open('')
    await says(second, 'Saved')
    await second.locator('.ProseMirror').waitFor()
    expect(first.url()).toMatch(/#[0-9a-f]{32}$/)
    expect(second.url()).not.toBe(first.url())
    await write(first, 'Private')
    await says(first, 'Saved')
    expect(await paragraphs(second)).toEqual([''])
    await first.reload()
    await sees(first, 'Private')
  })

  test('sharing copies a link that opens the same document', async () => {
    const first = await demo.open('?code', {
      permissions: ['clipboard-read', 'clipboard-write', 'local-network-access'],
    })
    await first.locator('.cm-content').click()
    await first.keyboard.type('shared')
    await first.getByRole('button', { name: 'Share' }).click()
    await first.getByText('Link copied.').first().waitFor()
    const link = await first.evaluate(() => navigator.clipboard.readText())
    const second = await demo.blank()
    await second.goto(link)
    await expect.poll(() => code(second), { timeout: WAIT_MS }).toBe('shared')
  })

  test('side by side, two people have two identities, and one can be offline without the other', async () => {
    const page = await demo.open('?split#both')
    const [first, second] = [page.frameLocator('iframe').first(), page.frameLocator('iframe').last()]
    const names = await Promise.all(
      [first, second].map((frame) => frame.getByRole('button', { name: /^You: / }).getAttribute('aria-label')),
    )
    expect(names[0]).not.toBe(names[1])
    await first.locator('.ProseMirror').click()
    await page.keyboard.type('From the left. ')
    await second.locator('.ProseMirror').getByText('From the left.').waitFor()
    await second.getByRole('button', { name: 'Network' }).click()
    await second.getByRole('switch', { name: 'Offline' }).check()
    await second.getByRole('button', { name: 'Close the panel' }).click()
    await first.locator('.ProseMirror').click()
    await page.keyboard.type('Unheard. ')
    await first.locator('#status .words', { hasText: /^Saved$/ }).waitFor()
    expect(await second.locator('.ProseMirror').textContent()).not.toContain('Unheard')
    await second.getByRole('button', { name: 'Network' }).click()
    await second.getByRole('switch', { name: 'Offline' }).uncheck()
    await second.locator('.ProseMirror').getByText('Unheard.').waitFor()
  })

  test('a cut connection comes back by itself, and slow ones only take longer', async () => {
    const first = await demo.open('#slow')
    const second = await demo.open('#slow')
    await networkPanel(first)
    await first.getByLabel('Added round trip').fill('400')
    await first.getByLabel('Speed limit').fill('1')
    await write(first, 'Slowly.')
    await says(first, 'Saving…')
    await sees(second, 'Slowly.')
    await says(first, 'Saved')
    await first.getByRole('button', { name: 'Cut the connection' }).click()
    await write(first, ' Cut.')
    await sees(second, 'Slowly. Cut.')
    await says(first, 'Saved')
    await first.locator('.meters div', { hasText: 'Reconnects' }).getByText('1', { exact: true }).waitFor()
    const log = first.getByRole('list', { name: 'Frames, newest first' })
    for (const name of ['SyncStep1', 'SyncStep2', 'Update', 'Awareness', 'Probe', 'Hello']) {
      await log.getByText(name, { exact: false }).first().waitFor({ state: 'attached' })
    }
    await setOffline(first, true)
    await says(first, 'Offline')
    // Offline again while the connection is being opened, which the browser must not complain about.
    await first.getByRole('switch', { name: 'Offline' }).evaluate(async (input: HTMLInputElement) => {
      for (let press = 0; press < 7; press += 1) {
        input.click()
        await new Promise((resolve) => setTimeout(resolve))
      }
    })
    await says(first, 'Saved')
  })
})

async function placeCaretAfter(page: Page, paragraph: string): Promise<void> {
  await page.locator('.ProseMirror p', { hasText: paragraph }).click()
  await page.keyboard.press('End')
}

/** Key by key, slowly enough for something to happen in between. */
function type(page: Page, text: string): Promise<void> {
  return page.keyboard.type(text, { delay: 30 })
}

/** Tries to close the page, expects the browser to ask whether to leave unsaved changes, and stays. */
async function warnsBeforeClosing(page: Page): Promise<void> {
  const [dialog] = await Promise.all([page.waitForEvent('dialog'), page.close({ runBeforeUnload: true })])
  expect(dialog.type()).toBe('beforeunload')
  await dialog.dismiss()
}

/** Records every wording of the status line. */
async function watchStatus(page: Page): Promise<() => Promise<string>> {
  const handle = await page.evaluateHandle(() => {
    const line = document.querySelector('#status .words') as Element
    const said = [line.textContent]
    new MutationObserver(() => said.push(line.textContent)).observe(line, {
      childList: true,
      characterData: true,
      subtree: true,
    })
    return said
  })
  return async () => (await handle.jsonValue()).join('\n')
}

/** Everything that is said to those who listen to the page. */
async function recordAnnouncements(page: Page): Promise<() => Promise<string>> {
  const handle = await page.evaluateHandle(() => {
    const region = document.querySelector('#announcements') as Element
    const said: (string | null)[] = []
    new MutationObserver(() => said.push(region.textContent)).observe(region, { childList: true, characterData: true })
    return said
  })
  return async () => (await handle.jsonValue()).join('\n')
}

interface Gate {
  open(): void
  close(): void
}

/**
 * Stands between a page and the server. While closed it keeps back what tells the author that something is saved: answers
 * to probes (102), and confirmations (113).
 */
async function holdConfirmations(page: Page): Promise<Gate> {
  let isOpen = true
  let release: (() => void)[] = []
  await page.routeWebSocket(/./, (socket) => {
    const server = socket.connectToServer()
    server.onMessage((frame) => {
      const isConfirmation = typeof frame !== 'string' && (frame[0] === 102 || frame[0] === 113)
      if (isOpen || !isConfirmation) socket.send(frame)
      else release.push(() => socket.send(frame))
    })
  })
  return {
    close: () => {
      isOpen = false
    },
    open: () => {
      isOpen = true
      for (const send of release.splice(0)) send()
      release = []
    },
  }
}
