import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContextOptions } from 'playwright-core'

const SYSTEM_PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/**
 * Context options for pages whose HTML a test hands over by `route.fulfill`. Chromium takes such a page for one from the
 * public internet, which may not open a WebSocket to 127.0.0.1 without this permission.
 */
export const ANSWERED_BY_THE_TEST: BrowserContextOptions = { permissions: ['local-network-access'] }

/** The Chromium to test with: `CHROMIUM_PATH`, else what the system has. undefined: none, and why has been printed. */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM_PATH']
  const path = (named === undefined ? SYSTEM_PATHS : [named]).find((candidate) => existsSync(candidate))
  if (path === undefined) {
    const sought = named === undefined ? SYSTEM_PATHS.join(', ') : `CHROMIUM_PATH=${named}`
    process.stderr.write(`Browser tests are skipped: no Chromium found (looked for ${sought}).\n`)
  }
  return path
}

/** A headless browser that talks to nobody but the pages under test. The caller closes it. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox', // containers run as root, where Chromium's sandbox refuses to start
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
