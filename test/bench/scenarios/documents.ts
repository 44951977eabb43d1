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
  type Check,
  type Metric,
  type Outcome,
  type RunContext,
  type Scenario,
} from './scenario.ts'

const COUNTS = [100, 1000, 10_000] as const
const [FEW, , MOST] = COUNTS
/** The same however many documents there are, so that connections do not count. */
const SOCKETS = 100
const UPDATES_PER_SECOND = 1000
const WARMUP_SECONDS = 3
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

  static async open(context: RunContext, count: number, chosen: readonly number[]): Promise<Library> {
    const perDocument = Array.from({ length: count }, () => 1)
    for (const document of chosen) perDocument[document] = (perDocument[document] ?? 0) + 1
    const frames = perDocument.map((edits, document) =>
      typedUpdates(document, edits).map((update) => ManyDocuments.updateFrame(nameOf(document), update)),
    )
    const cluster = await Cluster.start(context.kind, join(context.directory, String(count)), 1)
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

  /** At a steady rate: one for each of these documents. */
  due(documents: readonly number[]): Due[] {
    const random = randomFrom(documents.length)
    return documents.map((document, index) => ({
      at: ((index + random()) * 1000) / UPDATES_PER_SECOND,
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

async function load(context: RunContext, count: number): Promise<Part> {
  const { seconds, log } = context
  const chosen = choose(count, (WARMUP_SECONDS + seconds) * UPDATES_PER_SECOND)
  const library = await Library.open(context, count, chosen)
  await play(library.due(Array.from({ length: count }, (_, document) => document)), performance.now())
  const created = await library.allSaved()
  log(`${count} documents open; ${UPDATES_PER_SECOND} updates a second for ${WARMUP_SECONDS} + ${seconds} s`)
  const { before, after, generator } = await measured(() => library.cluster.usage(), {
    due: library.due(chosen),
    warmupMs: WARMUP_SECONDS * 1000,
    lastTime: () => library.lastTime,
  })
  const saved = created && (await library.allSaved())
  const { nodeMs, redisMs, appends } = spent(before, after)
  const quiet = count === MOST ? await idle(library, seconds, log) : {}
  const { lost } = library
  await library.close()
  return {
    values: {
      [`node${count}`]: (nodeMs * 1000) / appends,
      [`redis${count}`]: (redisMs * 1000) / appends,
      [`append${count}`]: ((nodeMs + redisMs) * 1000) / appends,
      [`rss${count}`]: after.nodesRss / 1024 / 1024,
      [`memory${count}`]: after.redis.memory / 1024 / 1024,
      ...quiet,
    },
    checks: [
      check(`${count} documents: every update is acknowledged`, saved),
      check(`${count} documents: nobody was disconnected`, lost === 0, `${lost} connections lost`),
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
  for (const count of COUNTS) parts.push(await load(context, count))
  const values: Record<string, number> = Object.assign({}, ...parts.map((part) => part.values))
  const most = Math.max(...COUNTS.map((count) => values[`append${count}`] ?? Number.NaN))
  return {
    values: {
      ...values,
      flat: most / (values[`append${FEW}`] ?? Number.NaN),
      generator: Math.max(...parts.map(({ generator }) => generator)),
    },
    checks: parts.flatMap(({ checks }) => checks),
  }
}

function row(id: string, title: string, unit: string): Metric {
  return { id, title, unit, better: 'lower' }
}

const metrics: readonly Metric[] = [
  ...COUNTS.flatMap((count) => [
    row(`append${count}`, `${count} documents: CPU of node and Redis per append`, 'µs'),
    row(`node${count}`, `${count} documents: of which the node`, 'µs'),
    row(`redis${count}`, `${count} documents: of which Redis`, 'µs'),
    row(`rss${count}`, `${count} documents: RSS of the node`, 'MiB'),
    row(`memory${count}`, `${count} documents: memory of Redis`, 'MiB'),
  ]),
  {
    ...row('flat', `CPU per append, the most of these ÷ that with ${FEW} documents`, ''),
    targets: [{ kind: 'atMost', value: 1.3 }],
  },
  row('idleNode', `${MOST} documents, nothing happens: CPU of the node, share of one core`, '%'),
  row('idleRedis', `${MOST} documents, nothing happens: CPU of Redis, share of one core`, '%'),
  generatorShare,
]

export const documents: Scenario = {
  name: 'documents',
  title: `100, 1,000 and 10,000 open documents on one node and one Redis, ${UPDATES_PER_SECOND} updates a second, over 100 sockets`,
  columns: { ours: 'Scriptorium, Redis' },
  seconds: 10,
  metrics,
  run,
}
