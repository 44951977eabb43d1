import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import { clientNames, clientTitles, type ClientName } from '../clients/clientName.ts'
import { EDITS, editKey, herdRoom, type Attempt, type HerdCommand, type HerdReport } from '../clients/herdMessages.ts'
import { HerdProcess } from '../clients/herdProcess.ts'
import { BUCKET_MS, buckets, histogram } from '../clients/histogram.ts'
import { fetchUpdates, forEachAtOnce } from '../load/fetch.ts'
import { NumberList } from '../measure/numbers.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { yWebsocketDialect } from '../wire/dialect.ts'
import { check, type Check, type Metric, type Outcome, type RunContext, type Scenario } from './scenario.ts'

const PROVIDERS = 2000
const PROCESSES = 2
/** How long the server stays away after the kill. */
const DOWN_MS = 5000
const LIMIT_MS = 90_000
/** Each provider makes one just before the kill, and one while the server is away. */
const EDIT_NAMES = ['before', 'during'] as const
/** More than these in one bucket, of those that do not try for the first time, are a herd; y-websocket's had 709. */
const SPIKE = PROVIDERS / 5

interface Flight {
  /** Milliseconds from the kill on. */
  readonly attempts: readonly Attempt[]
  readonly readyAfter: number
  readonly syncedAfter: number | null
  readonly lost: number
}

class Herd {
  private readonly processes: readonly HerdProcess[]

  constructor(name: ClientName) {
    this.processes = Array.from({ length: PROCESSES }, () => new HerdProcess(name))
  }

  open(url: string): Promise<readonly HerdReport[]> {
    const count = PROVIDERS / PROCESSES
    return Promise.all(this.processes.map((one, n) => one.run({ type: 'open', url, first: n * count, count })))
  }

  tell(command: HerdCommand): Promise<readonly HerdReport[]> {
    return Promise.all(this.processes.map((one) => one.run(command)))
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()))
  }
}

/** Edits that a newcomer does not get. */
async function missing(port: number): Promise<number> {
  const expected = new Map<string, string[]>()
  for (let provider = 0; provider < PROVIDERS; provider++) {
    const room = herdRoom(provider)
    expected.set(room, [...(expected.get(room) ?? []), ...EDIT_NAMES.map((name) => editKey(provider, name))])
  }
  let lost = 0
  await forEachAtOnce([...expected], 16, async ([document, keys]) => {
    let left = keys.length
    await fetchUpdates({ port, dialect: yWebsocketDialect, document }, (updates) => {
      const doc = new Y.Doc()
      for (const update of updates) Y.applyUpdate(doc, update)
      left = keys.filter((key) => !doc.getMap(EDITS).has(key)).length
      doc.destroy()
      return left === 0
    })
    lost += left
  })
  return lost
}

async function fly({ kind, directory, log }: RunContext, name: ClientName): Promise<Flight> {
  let server = await ServerProcess.start(kind, join(directory, name))
  const herd = new Herd(name)
  await herd.open(`ws://127.0.0.1:${server.port}`)
  await delay(6000) // a connection that ends within five seconds of its beginning is another matter
  await herd.tell({ type: 'note' })
  await herd.tell({ type: 'edit', name: EDIT_NAMES[0] })
  log(`${name}: ${PROVIDERS} connected; kill -9`)
  const killedAt = performance.timeOrigin + performance.now()
  await server.kill()
  await delay(DOWN_MS / 2)
  await herd.tell({ type: 'edit', name: EDIT_NAMES[1] })
  await delay(DOWN_MS / 2)
  server = await server.restart()
  const readyAfter = performance.timeOrigin + performance.now() - killedAt
  const reports = await herd.tell({ type: 'wait', limitMs: LIMIT_MS })
  const times = reports.map(({ syncedAt }) => syncedAt)
  const syncedAfter = times.includes(null) ? null : Math.max(...times.map(Number)) - killedAt
  const lost = await missing(server.port)
  await herd.stop()
  await server.stop()
  const attempts = reports.flatMap((one) => one.attempts.map(({ at, before }) => ({ at: at - killedAt, before })))
  return { attempts, readyAfter, syncedAfter, lost }
}

function peak(attempts: readonly Attempt[]): number {
  return Math.max(0, ...buckets(attempts.map(({ at }) => at)))
}

function later(attempts: readonly Attempt[]): readonly Attempt[] {
  return attempts.filter(({ before }) => before > 0)
}

function valuesOf({ attempts, readyAfter, syncedAfter, lost }: Flight): Record<string, number> {
  const first = new NumberList()
  for (const { at, before } of attempts) if (before === 0) first.add(at)
  return {
    first50: first.quantile(0.5),
    first99: first.quantile(0.99),
    peak: peak(attempts),
    peakLater: peak(later(attempts)),
    perProvider: attempts.length / PROVIDERS,
    back: syncedAfter === null ? Number.NaN : syncedAfter - readyAfter,
    lost,
  }
}

function checksOf({ attempts, syncedAfter, lost }: Flight): Check[] {
  const spike = peak(later(attempts))
  return [
    check('everybody is synced again', syncedAfter !== null),
    check('no edit is lost', lost === 0, `${lost} of ${PROVIDERS * EDIT_NAMES.length}`),
    check(`after the first attempts no ${BUCKET_MS} ms have more than a fifth of all`, spike <= SPIKE, `${spike}`),
  ]
}

async function run(context: RunContext): Promise<Outcome> {
  const flights = new Map<ClientName, Flight>()
  for (const name of clientNames) flights.set(name, await fly(context, name))
  const found = (name: ClientName): Record<string, number> => {
    const flight = flights.get(name)
    return flight === undefined ? {} : valuesOf(flight)
  }
  const ours = flights.get('ours')
  const series = new Map([...flights].map(([name, { attempts }]) => [clientTitles[name], attempts.map(({ at }) => at)]))
  const text = `Attempts to connect in each ${BUCKET_MS} ms after the kill; the server was back after ${DOWN_MS / 1000} s:`
  return {
    values: found('ours'),
    others: { 'y-websocket': found('y-websocket'), hocuspocus: found('hocuspocus') },
    checks: ours === undefined ? [] : checksOf(ours),
    notes: `${text}\n\n${histogram(series)}`,
  }
}

function row(id: string, title: string, unit: string, most?: number): Metric {
  const targets = most === undefined ? {} : { targets: [{ kind: 'atMost', value: most }] as const }
  return { id, title, unit, better: 'lower', ...targets }
}

export const herd: Scenario = {
  name: 'herd',
  title: `${PROVIDERS.toLocaleString('en-US')} providers lose the server, which is killed and comes back after ${DOWN_MS / 1000} s`,
  columns: clientTitles,
  isJoint: true,
  seconds: 0,
  metrics: [
    row('first50', 'from the kill to the first attempt, p50', 'ms'),
    row('first99', 'from the kill to the first attempt, p99', 'ms'),
    row('peak', `attempts in the busiest ${BUCKET_MS} ms`, ''),
    row('peakLater', "the same without everybody's first", '', SPIKE),
    row('perProvider', 'attempts per provider', ''),
    row('back', 'from the first answer of the new server until all are synced', 'ms'),
    row('lost', 'edits lost, of those made just before the kill and meanwhile', '', 0),
  ],
  run,
}
