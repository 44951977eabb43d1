import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import { forEachAtOnce, holds } from '../load/fetch.ts'
import { until } from '../load/schedule.ts'
import { clientId, contentOf, TEXT } from '../load/typists.ts'
import { randomFrom } from '../measure/numbers.ts'
import { OwnShare, settle, usageOf } from '../measure/proc.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { Client, closeAll, connectAll, type ClientOptions } from '../wire/client.ts'
import { check, generatorShare, type Metric, type Outcome, type RunContext, type Scenario } from './scenario.ts'

const CLIENTS = 1000
const DOCUMENTS = 100
const CHARACTERS = 10_000
const RETRY_MS = 100
const LIMIT_MS = 120_000
const EMPTY_UPDATE = Uint8Array.of(0, 0)

function documentState(document: number): Uint8Array {
  const doc = new Y.Doc()
  doc.clientID = clientId(document)
  doc.getText(TEXT).insert(0, `Document ${document}. `.repeat(CHARACTERS / 14))
  const state = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return state
}

/** Someone who has the whole document already, and gives it to a server that says it knows nothing. */
function holder(port: number, kind: RunContext['kind'], document: number, state: Uint8Array): ClientOptions {
  return {
    port,
    dialect: kind.dialect,
    document: `document-${document}`,
    stateVector: Y.encodeStateVectorFromUpdate(state),
    answer: (stateVector) => (stateVector.length <= 1 ? state : EMPTY_UPDATE),
  }
}

/** Keeps one client trying: a provider's reconnect, with short delays and jitter. */
class Persistent {
  private readonly options: ClientOptions
  private readonly random: () => number
  private stopped = false
  client: Client

  constructor(options: ClientOptions, client: Client, random: () => number) {
    this.options = options
    this.random = random
    this.client = client
    this.watch()
  }

  stop(): void {
    this.stopped = true
    this.client.close()
  }

  private watch(): void {
    this.client.onClosed = () => {
      if (this.stopped) return
      setTimeout(
        () => {
          if (this.stopped) return
          this.client = new Client(this.options)
          this.watch()
        },
        RETRY_MS * (0.5 + this.random()),
      )
    }
  }
}

async function run({ kind, directory, log }: RunContext): Promise<Outcome> {
  let server = await ServerProcess.start(kind, directory)
  const bootCpuMs = usageOf(server.pid).cpuMs
  const states = Array.from({ length: DOCUMENTS }, (_, document) => documentState(document))
  const options = Array.from({ length: CLIENTS }, (_, number) => {
    const document = number % DOCUMENTS
    return holder(server.port, kind, document, states[document] ?? EMPTY_UPDATE)
  })
  const first = await connectAll(options)
  const random = randomFrom(4)
  const clients = first.map((client, at) => new Persistent(options[at] ?? client.options, client, random))
  log(`${CLIENTS} connected to ${DOCUMENTS} documents; waiting until they are stored`)
  await settle(server.pid, kind.quietMs)

  log('kill -9 and restart')
  const own = new OwnShare()
  const start = performance.now()
  await server.kill()
  server = await server.restart()
  const readyMs = performance.now() - start
  const all = await until(
    () => clients.every(({ client }) => client.syncedAt !== null && client.closedBy === null),
    LIMIT_MS,
  )
  const synced = clients.map(({ client }) => client.syncedAt ?? Number.NaN)
  const generator = own.share()
  // The server may still be answering what the last clients sent.
  await delay(300)
  const { cpuMs } = usageOf(server.pid)
  for (const client of clients) client.stop()
  closeAll(first)

  await settle(server.pid, kind.quietMs)
  await server.stop()
  server = await server.restart()
  const wrong: number[] = []
  await forEachAtOnce([...states.keys()], 16, async (document) => {
    const state = states[document] ?? EMPTY_UPDATE
    const reader = { port: server.port, dialect: kind.dialect, document: `document-${document}` }
    if (!(await holds(reader, contentOf([state]), 8000))) wrong.push(document)
  })
  await server.stop()
  return {
    values: {
      all: Math.max(...synced) - start,
      ready: readyMs,
      cpu: cpuMs / CLIENTS,
      cpuWithoutBoot: Math.max(0, cpuMs - bootCpuMs) / CLIENTS,
      generator,
    },
    checks: [
      check('everybody is back', all, all ? '' : `${synced.filter((at) => Number.isNaN(at)).length} are not`),
      check('stored state after a restart', wrong.length === 0, `${wrong.length} of ${DOCUMENTS} documents differ`),
    ],
  }
}

const metrics: readonly Metric[] = [
  {
    id: 'all',
    title: 'from the kill until all are synced',
    unit: 'ms',
    better: 'lower',
    targets: [{ kind: 'ratio', value: 0.5 }],
  },
  { id: 'ready', title: 'of which until the server answers again', unit: 'ms', better: 'lower' },
  {
    id: 'cpu',
    title: 'server CPU per client, start of the process included',
    unit: 'ms',
    better: 'lower',
    targets: [{ kind: 'ratio', value: 0.6 }],
  },
  {
    id: 'cpuWithoutBoot',
    title: 'server CPU per client, start of the process subtracted',
    unit: 'ms',
    better: 'lower',
  },
  generatorShare,
]

export const reconnect: Scenario = {
  name: 'reconnect',
  title: '1,000 clients on 100 documents lose the server, which is killed and restarted',
  seconds: 0,
  metrics,
  run,
}
