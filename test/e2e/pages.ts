import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { build } from 'vite'
import type { WholeDocument } from './pages/wholeDocument.ts'

const PAGES = fileURLToPath(new URL('./pages/', import.meta.url))
const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
}

/** Builds the pages with stock editors and providers. */
export async function buildPages(outDir: string): Promise<void> {
  await build({
    root: PAGES,
    base: './',
    configFile: false,
    logLevel: 'error',
    build: {
      outDir,
      rolldownOptions: { input: [join(PAGES, 'codemirror.html'), join(PAGES, 'tiptap.html')] },
      chunkSizeWarningLimit: 2_000,
    },
    resolve: {
      dedupe: ['yjs', 'y-protocols', 'lib0', 'prosemirror-model', 'prosemirror-state', 'prosemirror-view'],
    },
  })
}

/** Answers for `/pages/…` from a directory, as if the server itself did, so that a page's WebSocket is same-origin. */
export async function servePages(page: Page, origin: string, directory: string): Promise<void> {
  await page.route(`${origin}/pages/**`, async (route) => {
    const path = normalize(new URL(route.request().url()).pathname)
    const body = await readFile(join(directory, path))
    await route.fulfill({ body, contentType: MEDIA_TYPES[extname(path)] ?? 'application/octet-stream' })
  })
}

export function wholeDocument(page: Page): Promise<WholeDocument> {
  return page.evaluate(() => window.wholeDocument())
}
