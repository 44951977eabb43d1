import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type * as Y from 'yjs'
import type { WebsocketProvider } from '../../client/index.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { openProvider } from '../support/provider.ts'

/** The server y-websocket 2 came with; one of many that speak the protocol and know nothing of ours. */
const entry = join(import.meta.dirname, '..', '..', 'node_modules', 'y-websocket-2', 'bin', 'server.cjs')

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

interface Foreign {
  readonly url: string
  readonly child: ChildProcess
  readonly complaints: string[]
}

async function start(port: number): Promise<Foreign> {
  const child = spawn(process.execPath, [entry], {
    env: { PATH: process.env['PATH'] ?? '', HOST: '127.0.0.1', PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const complaints: string[] = []
  child.stderr.on('data', (data: Buffer) => complaints.push(data.toString()))
  cleanups.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  await once(child.stdout, 'data')
  return { url: `ws://127.0.0.1:${String(port)}`, child, complaints }
}

const open = (url: string): WebsocketProvider => openProvider(cleanups, url, 'room')

function text(provider: WebsocketProvider): Y.Text {
  return provider.doc.getText('text')
}

describe("y-websocket's own server", () => {
  test('serves our client: documents, presence, and what it can say about saving', async () => {
    const { url, complaints } = await start(await freePort())
    const [first, second] = [open(url), open(url)]
    await Promise.all([first.whenSynced, second.whenSynced])
    expect(first.ackLevel).toBe('received')
    first.awareness.setLocalStateField('name', 'first')
    await eventually(() => second.awareness.getStates().get(first.doc.clientID)?.['name'] === 'first', 'it is seen')
    for (let count = 0; count < 50; count += 1) {
      text(first).insert(0, 'a')
      text(second).insert(0, 'b')
    }
    await Promise.all([first.whenSaved(), second.whenSaved()])
    await eventually(() => text(first).length === 100 && text(second).length === 100, 'all is there')
    expect([first.unsavedChanges, second.unsavedChanges]).toEqual([0, 0])
    expect(complaints).toEqual([])
  })

  test('is known to have an edit when it comes back: the status is green, yellow at once, green', async () => {
    const { url } = await start(await freePort())
    const author = open(url)
    await author.whenSynced
    const told: string[] = []
    author.on('sync-status', ({ status }) => told.push(status))
    await eventually(() => author.syncStatus.status === 'green', 'it is in sync')
    text(author).insert(0, 'hi')
    expect(author.syncStatus.status).toBe('yellow')
    await eventually(() => author.syncStatus.status === 'green', 'it is saved')
    expect(told.slice(-2)).toEqual(['yellow', 'green'])
  })

  test('may lose everything and start again: our client brings it back', async () => {
    const port = await freePort()
    const { url, child } = await start(port)
    const author = open(url)
    text(author).insert(0, 'kept')
    await author.whenSaved()
    child.kill('SIGKILL')
    await once(child, 'exit')
    text(author).insert(4, ' here')
    const again = await start(port)
    await author.whenSaved()
    const reader = open(again.url)
    await eventually(() => text(reader).toJSON() === 'kept here', 'it is there again')
    expect(again.complaints).toEqual([])
  })
})
