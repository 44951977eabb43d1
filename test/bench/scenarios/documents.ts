import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Library } from '../load/library.ts'
import { measured } from '../load/measured.ts'
import { play } from '../load/schedule.ts'
import { randomFrom } from '../measure/numbers.ts'
import type { ClusterUsage } from '../servers/cluster.ts'
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
const WARMUP_SECONDS = 3
const CREATED_PER_SECOND = 1500
/** A node looks after a document of which it has heard nothing for up to so long. */
const SWEEP_SECONDS = 15

/** Which document each update is for; each document's first is written before the others, to create it. */
function choose(count: number, updates: number): number[] {
  const random = randomFrom(count)
  return Array.from({ length: updates }, () => Math.floor(random() * count))
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
  const library = await Library.open(context.kind, join(context.directory, id), { count, chosen })
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
