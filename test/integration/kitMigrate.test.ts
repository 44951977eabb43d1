import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import * as Y from 'yjs'
import { openDocument } from '../../client/testing/openDocument.ts'
import type { OpenDocument, OpenDocumentOptions } from '../../client/testing/openDocument.ts'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { freePort } from '../support/freePort.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

const oldServer = join(import.meta.dirname, '..', '..', 'node_modules', 'y-websocket-2', 'bin', 'server.cjs')
const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startOldServer(): Promise<string> {
  const port = await freePort()
  const child = spawn(process.execPath, [oldServer], {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: String(port) },
    stdio: 'ignore',
  })
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  await eventually(() => fetch(`http://127.0.0.1:${port}`).then(({ ok }) => ok), 'the old server answers')
  return `ws://127.0.0.1:${port}`
}

async function startNewServer(): Promise<string> {
  const server = await TestServer.start({ engine: new MemoryEngine() })
  cleanups.push(() => server.dispose())
  return server.url
}

async function open(url: string, name: string, options?: OpenDocumentOptions): Promise<OpenDocument> {
  const opened = await openDocument(url, name, options)
  cleanups.push(() => opened.close())
  return opened
}

const textOf = ({ doc }: OpenDocument): string => doc.getText('text').toJSON()

/** As `client/docs/from-y-websocket.md` and `from-hocuspocus.md` do it. */
async function copy(from: OpenDocument, to: OpenDocument): Promise<void> {
  Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc))
  await to.save()
}

test(
  "documents move from y-websocket's own server, and copying again doubles nothing",
  { timeout: 60_000 },
  async () => {
    const [oldUrl, newUrl] = [await startOldServer(), await startNewServer()]
    const author = await open(oldUrl, 'notes')
    author.doc.getText('text').insert(0, 'written long ago')
    await author.save()
    expect(author.provider.ackLevel).toBe('received')

    const from = await open(oldUrl, 'notes')
    const to = await open(newUrl, 'notes')
    expect(textOf(from)).toBe('written long ago')
    await copy(from, to)
    author.doc.getText('text').insert(0, 'and meanwhile, ')
    await eventually(() => textOf(from).startsWith('and meanwhile'), 'the edit arrives')
    await copy(from, to)
    expect(textOf(await open(newUrl, 'notes'))).toBe('and meanwhile, written long ago')
  },
)

test('documents move over the Hocuspocus protocol', async () => {
  const [oldUrl, newUrl] = [await startNewServer(), await startNewServer()]
  const author = await open(oldUrl, 'notes')
  author.doc.getText('text').insert(0, 'written long ago')
  await author.save()
  const from = await open(oldUrl, 'notes', { multiplex: true, token: 'the old server wants one' })
  await eventually(() => textOf(from) === 'written long ago', 'it is there')
  await copy(from, await open(newUrl, 'notes'))
  expect(textOf(await open(newUrl, 'notes'))).toBe('written long ago')
})
