import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { chooseWorker } from '../../server/workers/balance.ts'
import { openClient, textOf, write } from '../support/clients.ts'
import type { Client } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { Crowd, DOCUMENT } from '../support/workersJournal.ts'
import { twoWorkers, WorkersServer } from '../support/workersServer.ts'

/** Milliseconds; a worker that hangs is noticed after 5 s, and clients wait up to 2.5 s before they come again. */
const NOTICED = { within: 30_000 }
/** Milliseconds; it is killed after 30 s. */
const REPLACED = { within: 90_000 }

let server: WorkersServer | null = null
let crowd: Crowd | null = null
let clients: Client[] = []

afterEach(async () => {
  crowd?.dispose()
  for (const client of clients) client.destroy()
  clients = []
  await server?.dispose()
  server = null
  crowd = null
})

async function start(): Promise<WorkersServer> {
  server = await WorkersServer.start()
  return server
}

/** Two clients for each document, of either family. */
function openAll(url: string, documents: readonly string[]): readonly Client[] {
  const opened = documents.flatMap((name) => [
    openClient('y-websocket 3.1', url, name),
    openClient('hocuspocus 4', url, name),
  ])
  clients.push(...opened)
  return opened
}

const allSynced = (opened: readonly Client[]) => (): boolean => opened.every(({ synced }) => synced)

describe('a worker that hangs', () => {
  test('W8: the others serve the new clients of all documents, also those that came before it was noticed', async () => {
    const running = await start()
    process.kill(running.pid(0), 'SIGSTOP')
    // The very first is in the channel when the worker hangs, and a WebSocket already: closing our end does not end it.
    const first = openClient('hocuspocus 4', running.url, homeOf(0))
    clients.push(first)
    await eventually(() => first.sockets[0]?.readyState === WebSocket.OPEN, 'the primary has answered it')
    const early = [first, ...openAll(running.url, names('early'))]
    await eventually(allSynced(early), 'all are served', NOTICED)
    expect(running.lines(/"msg":"a worker does not answer/).map(workerOf)).toEqual([0])
    const refused = running.lines(/"reason":"the worker does not answer"/)
    expect(refused.length, 'those that were on the way have come again').toBeGreaterThan(0)
    expect(refused.length, 'the others have been given to another worker').toBeLessThanOrEqual(4)
    expect(early.filter(({ sockets }) => sockets.length > 1)).toHaveLength(refused.length)

    const late = openAll(running.url, names('late'))
    await eventually(allSynced(late), 'all are served')
    expect(late.filter(({ sockets }) => sockets.length > 1)).toEqual([])
    expect(await running.metric('scriptorium_worker_up')).toEqual(byWorker(0, 1))

    process.kill(running.pid(0), 'SIGCONT')
    await eventually(() => running.lines(/"msg":"a worker answers again"/).length === 1, 'it answers again')
    const again = openAll(running.url, names('again'))
    await eventually(allSynced(again), 'all are served')
    const home = names('again').filter((name) => chooseWorker(twoWorkers, name)?.index === 0)
    expect(home).not.toEqual([])
    const connections = async (): Promise<number | undefined> =>
      (await running.metric('scriptorium_connections')).get('0')
    // What it found when it woke has ended; these are new.
    await eventually(async () => (await connections()) === 2 * home.length, 'the one that is back serves its own')
    const pairs = clients.filter((client) => client !== first)
    for (const client of pairs) write(client, `<${client.kind}>`)
    const isComplete = (client: Client): boolean => textOf(client).length === '<y-websocket 3.1><hocuspocus 4>'.length
    await eventually(() => pairs.every(isComplete), 'those who share a document have all of it')
    expect(await running.metric('scriptorium_worker_starts_total')).toEqual(byWorker(1, 1))
  }, 90_000)

  test('W8, P1: and does not come back is replaced, and nothing that anybody saw is lost', async () => {
    const running = await start()
    crowd = await Crowd.open(running.port)
    await crowd.start()
    await crowd.acknowledged(200)
    const hanging = chooseWorker(twoWorkers, DOCUMENT)?.index ?? 0
    const [before, other] = [running.pid(hanging), running.pid(1 - hanging)]
    process.kill(before, 'SIGSTOP')
    await crowd.acknowledged(100)
    await crowd.stop()
    await eventually(() => running.lines(/"msg":"a worker does not answer/).length === 1, 'it is noticed', NOTICED)
    await crowd.start()
    await crowd.acknowledged(100)
    await crowd.stop()
    await eventually(() => running.pid(hanging) !== before, 'another one serves in its place', REPLACED)
    await crowd.start()
    await crowd.acknowledged(100)
    await crowd.stop()
    expect(await crowd.broken()).toEqual({ lost: [], twice: 0 })
    expect(running.lines(/"msg":"a worker still does not answer/).map(workerOf)).toEqual([hanging])
    expect(running.pid(1 - hanging)).toBe(other)
  }, 180_000)
})

/** A document that belongs to that worker. */
function homeOf(worker: number): string {
  return names('home').find((name) => chooseWorker(twoWorkers, name)?.index === worker) ?? ''
}

/** With so few clients, all those of a document go to one worker. */
function names(kind: string): readonly string[] {
  return Array.from({ length: 8 }, (_, index) => `${kind} ${index}`)
}

function workerOf(line: string): number {
  return (JSON.parse(line) as { worker: number }).worker
}

function byWorker(...values: readonly number[]): ReadonlyMap<string, number> {
  return new Map(values.map((value, index) => [String(index), value]))
}
