import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { measured } from '../load/measured.ts'
import { play, until, type Due } from '../load/schedule.ts'
import { typedUpdates } from '../load/typists.ts'
import { randomFrom } from '../measure/numbers.ts'
import { Cluster, type ClusterUsage } from '../servers/cluster.ts'
import { ManyDocuments } from '../wire/manyDocuments.ts'
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

interface Load {
  readonly id: string
  readonly title: string
  readonly count: number
  readonly updatesPerSecond: number
}

/** At one rate, so that only the number of documents differs. */
const FLAT: readonly Load[] = [
  { id: 'few', title: '100 documents', count: 100, updatesPerSecond: 1000 },
  { id: 'some', title: '1,000 documents', count: 1000, updatesPerSecond: 1000 },
  { id: 'many', title: '10,000 documents', count: 10_000, updatesPerSecond: 1000 },
]
/** What an append costs when node and Redis have more to do each time they wake up. */
const BUSY: Load = { id: 'busy', title: '1,000 documents, 4,000 updates a second', count: 1000, updatesPerSecond: 4000 }
const LOADS = [...FLAT, BUSY]
/** The load after which open documents are left alone. */
const IDLE_AFTER = 'many'
/** The same however many documents there are, so that connections do not count. */
const SOCKETS = 100
const WARMUP_SECONDS = 3
const CREATED_PER_SECOND = 1500
/** A node looks after a document of which it has heard nothing for up to so long. */
const SWEEP_SECONDS = 15
const PATIENCE_MS = 30_000

function nameOf(document: number): string {
  return `document-${document}`
}

/** Which document each update is for; each document's first is written before the others, to create it. */
function choose(count: number, updates: number): number[] {
  const random = randomFrom(count)
  return Array.from({ length: updates }, () => Math.floor(random() * count))
}

/** Documents open on one node, and what will be written into them. */
class Library {
  readonly cluster: Cluster
  readonly sockets: readonly ManyDocuments[]
  private readonly frames: readonly Buffer[][]
  sent = 0

  private constructor(cluster: Cluster, sockets: readonly ManyDocuments[], frames: readonly Buffer[][]) {
    this.cluster = cluster
    this.sockets = sockets
    this.frames = frames
  }

  static async open(context: RunContext, { id, count }: Load, chosen: readonly number[]): Promise<Library> {
    const perDocument = Array.from({ length: count }, () => 1)
    for (const document of chosen) perDocument[document] = (perDocument[document] ?? 0) + 1
    const frames = perDocument.map((edits, document) =>
      typedUpdates(document, edits).map((update) => ManyDocuments.updateFrame(nameOf(document), update)),
    )
    const cluster = await Cluster.start(context.kind, join(context.directory, id), 1)
    const sockets: ManyDocuments[] = []
    for (let socket = 0; socket < SOCKETS; socket++) {
      const mine = Array.from({ length: count / SOCKETS }, (_, index) => nameOf(index * SOCKETS + socket))
      sockets.push(await ManyDocuments.open(cluster.port(0), mine))
    }
    return new Library(cluster, sockets, frames)
  }

  get lastTime(): number {
    return Math.max(...this.sockets.map(({ lastTime }) => lastTime))
  }

  get lost(): number {
    return this.sockets.filter(({ closedBy }) => closedBy !== null).length
  }

  /** The next update of a document. */
  write(document: number): void {
    const frame = this.frames[document]?.shift()
    if (frame === undefined) throw new Error(`${nameOf(document)} has no update left`)
    this.sent++
    this.sockets[document % SOCKETS]?.send(frame)
  }

  /** One update for each of these documents, at a steady rate. */
  due(documents: readonly number[], perSecond: number): Due[] {
    const random = randomFrom(documents.length)
    return documents.map((document, index) => ({
      at: ((index + random()) * 1000) / perSecond,
      run: () => {
        this.write(document)
      },
    }))
  }

  /** Everything that was written is saved; the empty answers at the beginning were acknowledged as well. */
  allSaved(): Promise<boolean> {
    const expected = this.sent + this.frames.length
    return until(() => this.sockets.reduce((sum, { acknowledged }) => sum + acknowledged, 0) >= expected, PATIENCE_MS)
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.close()
    await this.cluster.stop()
  }
}

interface Spent {
  readonly nodeMs: number
  readonly redisMs: number
  /** Entries appended to logs. */
  readonly appends: number
}

function spent(before: ClusterUsage, after: ClusterUsage): Spent {
  return {
    nodeMs: after.nodesCpuMs - before.nodesCpuMs,
    redisMs: after.redis.cpuMs - before.redis.cpuMs,
    appends: (after.redis.calls.get('xadd') ?? 0) - (before.redis.calls.get('xadd') ?? 0),
  }
}

interface Part {
  readonly values: Readonly<Record<string, number>>
  readonly checks: readonly Check[]
  readonly generator: number
}

async function measure(context: RunContext, load: Load): Promise<Part> {
  const { seconds, log } = context
  const { id, title, count, updatesPerSecond } = load
  const chosen = choose(count, (WARMUP_SECONDS + seconds) * updatesPerSecond)
  const library = await Library.open(context, load, chosen)
  const each = Array.from({ length: count }, (_, document) => document)
  await play(library.due(each, CREATED_PER_SECOND), performance.now())
  const created = await library.allSaved()
  log(`${title} open; ${updatesPerSecond} updates a second for ${WARMUP_SECONDS} + ${seconds} s`)
  const { before, after, generator } = await measured(() => library.cluster.usage(), {
    due: library.due(chosen, updatesPerSecond),
    warmupMs: WARMUP_SECONDS * 1000,
    lastTime: () => library.lastTime,
  })
  const saved = created && (await library.allSaved())
  const { nodeMs, redisMs, appends } = spent(before, after)
  const quiet = id === IDLE_AFTER ? await idle(library, seconds, log) : {}
  const { lost } = library
  await library.close()
  return {
    values: {
      [`${id}Node`]: (nodeMs * 1000) / appends,
      [`${id}Redis`]: (redisMs * 1000) / appends,
      [`${id}Append`]: ((nodeMs + redisMs) * 1000) / appends,
      [`${id}Rss`]: after.nodesRss / MIB,
      [`${id}Memory`]: after.redis.memory / MIB,
      ...quiet,
    },
    checks: [
      check(`${title}: every update is acknowledged`, saved),
      check(`${title}: nobody was disconnected`, lost === 0, `${lost} connections lost`),
    ],
    generator,
  }
}

/** What open documents cost in which nothing happens: each is compared with its log now and then. */
async function idle(library: Library, seconds: number, log: (text: string) => void): Promise<Record<string, number>> {
  log(`idle for ${SWEEP_SECONDS} + ${seconds} s`)
  await delay(SWEEP_SECONDS * 1000)
  const before = await library.cluster.usage()
  await delay(seconds * 1000)
  const { nodeMs, redisMs } = spent(before, await library.cluster.usage())
  return { idleNode: nodeMs / (seconds * 10), idleRedis: redisMs / (seconds * 10) }
}

async function run(context: RunContext): Promise<Outcome> {
  const parts: Part[] = []
  for (const load of LOADS) parts.push(await measure(context, load))
  const values: Record<string, number> = Object.assign({}, ...parts.map((part) => part.values))
  const [few = Number.NaN, ...more] = FLAT.map(({ id }) => values[`${id}Append`] ?? Number.NaN)
  return {
    values: {
      ...values,
      flat: Math.max(...more) / few,
      generator: Math.max(...parts.map(({ generator }) => generator)),
    },
    checks: parts.flatMap(({ checks }) => checks),
  }
}

function row(id: string, title: string, unit: string): Metric {
  return { id, title, unit, better: 'lower' }
}

const metrics: readonly Metric[] = [
  ...LOADS.flatMap(({ id, title }) => [
    row(`${id}Append`, `${title}: CPU of node and Redis per append`, 'µs'),
    row(`${id}Node`, `${title}: of which the node`, 'µs'),
    row(`${id}Redis`, `${title}: of which Redis`, 'µs'),
    row(`${id}Rss`, `${title}: RSS of the node`, 'MiB'),
    row(`${id}Memory`, `${title}: memory of Redis`, 'MiB'),
  ]),
  {
    ...row('flat', 'CPU per append: with more documents ÷ with 100, at 1,000 updates a second', ''),
    targets: [{ kind: 'atMost', value: 1.3 }],
  },
  row('idleNode', '10,000 documents in which nothing happens: CPU of the node, share of one core', '%'),
  row('idleRedis', '10,000 documents in which nothing happens: CPU of Redis, share of one core', '%'),
  generatorShare,
]

export const documents: Scenario = {
  name: 'documents',
  title: '100, 1,000 and 10,000 documents open on one node and one Redis, over 100 sockets; 1,000 updates a second',
  columns: { ours: 'Scriptorium, Redis' },
  seconds: 10,
  metrics,
  run,
}
