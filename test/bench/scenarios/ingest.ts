import * as Y from 'yjs'
import { holds, documentUpdates } from '../load/fetch.ts'
import { until } from '../load/schedule.ts'
import { contentOf } from '../load/typists.ts'
import { loadTrace, type Trace } from '../load/trace.ts'
import { OwnShare, settle, usageOf } from '../measure/proc.ts'
import { Recorder } from '../measure/recorder.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { Client, closeAll, connectAll, type ClientOptions } from '../wire/client.ts'
import { probe } from '../wire/dialect.ts'
import { clientFrame } from '../wire/frames.ts'
import {
  check,
  generatorShare,
  MIB,
  type Check,
  type Metric,
  type Outcome,
  type RunContext,
  type Scenario,
} from './scenario.ts'

const CHUNK = 64 * 1024
const LIMIT_MS = 180_000
const FURTHER_CLIENTS = 20

/** Frames joined to writes of a size the kernel likes, so that the generator is not the limit. */
function chunksOf(client: Client, updates: readonly Uint8Array[]): Buffer[] {
  const chunks: Buffer[] = []
  let open: Buffer[] = []
  let bytes = 0
  for (const update of updates) {
    const frame = client.updateFrame(update)
    open.push(frame)
    bytes += frame.length
    if (bytes < CHUNK) continue
    chunks.push(Buffer.concat(open))
    open = []
    bytes = 0
  }
  return open.length > 0 ? [...chunks, Buffer.concat(open)] : chunks
}

/**
 * Sends every update as a message of its own, and waits until the server has said that it has them all: with the
 * durable acknowledgement where there is one, else with its answer to a last SyncStep1. Milliseconds.
 */
async function pour(client: Client, trace: Trace, probes: boolean): Promise<number> {
  const chunks = chunksOf(client, trace.updates)
  const stateVector = Y.encodeStateVectorFromUpdate(trace.state)
  const start = performance.now()
  for (const chunk of chunks) if (!client.send(chunk)) await client.drained()
  if (probes) client.send(clientFrame(probe(1)))
  else client.requestState(stateVector)
  const acknowledged = await until(
    () => client.closedBy !== null || (probes ? client.counts.echo > 0 : client.counts.step2 > 1),
    LIMIT_MS,
  )
  if (!acknowledged || client.closedBy !== null)
    throw new Error(`ingest not acknowledged: ${client.closedBy ?? 'timeout'}`)
  return (client.lastAt[probes ? 'echo' : 'step2'] ?? Number.NaN) - start
}

/** When the last of these frames needed for the whole document had arrived; null when they are not all of it. */
function completedAt(recorder: Recorder, options: ClientOptions, expected: string): number | null {
  const updates: Uint8Array[] = []
  const size = contentLength(expected)
  for (const { bytes, time } of recorder) {
    const { kind, payload } = options.dialect.read(bytes)
    if (kind !== 'step2' && kind !== 'update') continue
    updates.push(payload)
    if (payload.length > size / 100 && contentOf(updates) === expected) return time
  }
  return contentOf(documentUpdates(recorder, options)) === expected ? recorder.lastTime : null
}

function contentLength(content: string): number {
  return Buffer.byteLength(content)
}

/** Connects `count` clients at once; milliseconds until each of them has the whole document, NaN when one has not. */
async function join(options: ClientOptions, count: number, expected: string): Promise<number> {
  const recorders = Array.from({ length: count }, () => new Recorder())
  const start = performance.now()
  const clients = recorders.map((recorder) => new Client({ ...options, recorder }))
  await Promise.all(clients.map((client) => client.synced()))
  const enough = contentLength(expected) / 2
  await until(() => recorders.every((recorder) => recorder.bytes > enough), LIMIT_MS)
  await until(() => recorders.every((recorder) => performance.now() - recorder.lastTime > 500), LIMIT_MS)
  closeAll(clients)
  const times = recorders.map((recorder) => completedAt(recorder, options, expected) ?? Number.NaN)
  return Math.max(...times) - start
}

/** An acknowledged ingest survives a SIGKILL in the very moment of the acknowledgement. */
async function checkDurable(server: ServerProcess, trace: Trace, expected: string): Promise<Check> {
  const { kind, port } = server
  const options = { port, dialect: kind.dialect, document: 'trace-2' }
  const [client] = await connectAll([options])
  if (client === undefined) throw new Error('no client')
  await pour(client, trace, true)
  await server.kill()
  const again = await server.restart()
  const ok = await holds(options, expected)
  await again.stop()
  return check('all of it is there after kill -9 at the acknowledgement', ok, ok ? '' : 'the stored document differs')
}

async function run({ kind, directory, log }: RunContext): Promise<Outcome> {
  log('preparing the trace')
  const trace = loadTrace()
  const expected = contentOf([trace.state])
  let server = await ServerProcess.start(kind, directory)
  const options = { port: server.port, dialect: kind.dialect, document: 'trace' }
  const [client] = await connectAll([options])
  if (client === undefined) throw new Error('no client')
  const own = new OwnShare()
  log(`${trace.updates.length} edits (${trace.source}) through one socket`)
  const ingestMs = await pour(client, trace, kind.probes)
  const generator = own.share()
  const atEnd = usageOf(server.pid)
  log(`acknowledged after ${Math.round(ingestMs)} ms; waiting until the server is idle`)
  const backlog = await settle(server.pid, kind.quietMs)
  const { peakRss } = usageOf(server.pid)
  client.close()
  await server.stop()
  server = await server.restart()
  log('restarted; joining')
  const first = await join(options, 1, expected)
  const further = await join(options, FURTHER_CLIENTS, expected)
  const whole = check('stored state after a restart', Number.isFinite(first) && Number.isFinite(further))
  const checks = kind.probes ? [whole, await checkDurable(server, trace, expected)] : [whole]
  await server.stop()
  const values = {
    rate: (trace.updates.length * 1000) / ingestMs,
    backlog: backlog.cpuMs,
    backlogTime: backlog.busyMs,
    rss: atEnd.rss / MIB,
    peak: peakRss / MIB,
    first,
    further,
    generator,
  }
  return { values, checks }
}

const metrics: readonly Metric[] = [
  {
    id: 'rate',
    title: 'edits acknowledged per second',
    unit: '/s',
    better: 'higher',
    targets: [{ kind: 'atLeast', value: 150_000 }],
  },
  {
    id: 'backlog',
    title: 'CPU spent after the acknowledgement',
    unit: 'ms',
    better: 'lower',
    targets: [{ kind: 'atMost', value: 500 }],
  },
  { id: 'backlogTime', title: 'time from the acknowledgement to idle', unit: 'ms', better: 'lower' },
  {
    id: 'rss',
    title: 'RSS at the acknowledgement',
    unit: 'MiB',
    better: 'lower',
    targets: [{ kind: 'atMost', value: 150 }],
  },
  { id: 'peak', title: 'peak RSS', unit: 'MiB', better: 'lower' },
  {
    id: 'first',
    title: 'after a restart: first client has everything',
    unit: 'ms',
    better: 'lower',
    targets: [{ kind: 'ratio', value: 0.3 }],
  },
  {
    id: 'further',
    title: 'then 20 further clients at once',
    unit: 'ms',
    better: 'lower',
    targets: [{ kind: 'ratio', value: 0.3 }],
  },
  generatorShare,
]

export const ingest: Scenario = {
  name: 'ingest',
  title: 'an editing trace of 260,000 edits through one socket, one message per edit',
  seconds: 0,
  metrics,
  run,
}
