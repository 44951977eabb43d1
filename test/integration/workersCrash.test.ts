import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createServer } from '../../server/server.ts'
import { Crowd, DOCUMENT } from '../support/workersJournal.ts'
import { journalOf } from './journalClient.ts'
import { WorkersServer } from '../support/workersServer.ts'

let server: WorkersServer | null = null
let crowd: Crowd | null = null

afterEach(async () => {
  crowd?.dispose()
  await server?.dispose()
  server = null
  crowd = null
})

async function begin(): Promise<{ server: WorkersServer; crowd: Crowd }> {
  server = await WorkersServer.start()
  crowd = await Crowd.open(server.port)
  await crowd.start()
  await crowd.acknowledged(200)
  return { server, crowd }
}

describe('under load, kill -9', { timeout: 120_000 }, () => {
  test.each([0, 1])(
    'P1, W7: of worker %d: it comes back under its index, the other one goes on, nothing promised is lost',
    async (worker) => {
      const { server, crowd } = await begin()
      const other = server.pid(1 - worker)
      await server.replace(worker, 'SIGKILL')
      expect(crowd.gone, 'some of them were on that worker').toBeGreaterThan(0)
      await crowd.acknowledged(200)
      await crowd.stop()
      expect(crowd.promised.size).toBeGreaterThan(400)
      expect(await crowd.broken()).toEqual({ lost: [], twice: 0 })
      expect(server.pid(1 - worker)).toBe(other)
      expect(await server.metric('scriptorium_worker_starts_total')).toEqual(
        new Map([
          [String(worker), 2],
          [String(1 - worker), 1],
        ]),
      )
    },
  )

  test('P1, W7: of the primary: its workers end by themselves at once, and nothing promised is lost', async () => {
    const first = await begin()
    let running = first.server
    for (let round = 1; round <= 5; round += 1) {
      running.cli.child.kill('SIGKILL')
      // Workers hold the program's standard output: it ends when the last of them has.
      await running.cli.finished
      await first.crowd.stop()
      expect(first.crowd.missingIn(await storedJournal(running.directory)), `round ${round}`).toEqual([])
      running = await WorkersServer.start([], running)
      server = running
      expect(await first.crowd.broken()).toEqual({ lost: [], twice: 0 })
      await first.crowd.start()
      await first.crowd.acknowledged(100)
    }
    await first.crowd.stop()
    expect(first.crowd.promised.size).toBeGreaterThan(500)
  })
})

/** What is stored, read without clients: nobody can bring back what was lost. */
async function storedJournal(directory: string): Promise<string[]> {
  const reader = createServer({ dataDir: directory, logLevel: 'silent', metrics: false })
  try {
    await reader.ready()
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await reader.documents.read(DOCUMENT))
    return journalOf(doc)
  } finally {
    await reader.close()
  }
}
