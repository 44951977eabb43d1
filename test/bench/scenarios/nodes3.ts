import { join } from 'node:path'
import { clusterTyping, type ClusterPlan, type ClusterResult } from '../load/clusterTyping.ts'
import { NumberList } from '../measure/numbers.ts'
import { checksOf, generatorShare, type Metric, type Outcome, type RunContext, type Scenario } from './scenario.ts'

const NODES = 3
const COMMON = {
  editsPerSecond: 5,
  warmupSeconds: 3,
  countedSeconds: 4,
  nodes: NODES,
  nodeOf: (person: number) => person % NODES,
}

/** 300 edits a second each; everybody's neighbours are on other nodes. */
const LOADS = [
  { id: 'room', title: 'one room of 60', plan: { ...COMMON, rooms: 1, people: 60 } },
  { id: 'rooms', title: '20 rooms of 3', plan: { ...COMMON, rooms: 20, people: 3 } },
] as const

function valuesOf(id: string, result: ClusterResult, latencies: NumberList): Record<string, number> {
  const { before, after, edits, traffic, countedEdits } = result
  const nodes = ((after.nodesCpuMs - before.nodesCpuMs) * 1000) / edits
  const redis = ((after.redis.cpuMs - before.redis.cpuMs) * 1000) / edits
  return {
    [`${id}Delivered`]: traffic.delivered / countedEdits,
    [`${id}Published`]: traffic.published / countedEdits,
    [`${id}Commands`]: traffic.commands / countedEdits,
    [`${id}Bytes`]: (after.redis.netBytes - before.redis.netBytes) / edits,
    [`${id}Cpu`]: nodes + redis,
    [`${id}RedisCpu`]: redis,
    [`${id}P50`]: latencies.quantile(0.5),
    [`${id}P99`]: latencies.quantile(0.99),
  }
}

async function typeIn(context: RunContext, id: string, plan: ClusterPlan): Promise<ClusterResult & Outcome> {
  const latencies = new NumberList()
  const own = { ...context, directory: join(context.directory, id) }
  const result = await clusterTyping(own, plan, (milliseconds) => {
    latencies.add(milliseconds)
  })
  return { ...result, values: valuesOf(id, result, latencies) }
}

async function run(context: RunContext): Promise<Outcome> {
  const results = []
  for (const { id, title, plan } of LOADS) {
    const result = await typeIn(context, id, plan)
    results.push({ ...result, checks: checksOf(title, result.checks) })
  }
  return {
    values: {
      ...Object.assign({}, ...results.map(({ values }) => values)),
      generator: Math.max(...results.map(({ generator }) => generator)),
    },
    checks: results.flatMap(({ checks }) => checks),
  }
}

const metrics: readonly Metric[] = [
  ...LOADS.flatMap(({ id, title }): readonly Metric[] => {
    const row = (name: string, what: string, unit: string): Metric => {
      return { id: `${id}${name}`, title: `${title}: ${what}`, unit, better: 'lower' }
    }
    const fifth = { targets: [{ kind: 'ratio', value: 0.2 }] } as const
    return [
      { ...row('Delivered', 'messages Redis sends to nodes, per edit', ''), ...fifth },
      row('Published', 'messages published, per edit', ''),
      row('Commands', 'commands sent to Redis, per edit', ''),
      row('Bytes', 'bytes to and from Redis, per edit', ''),
      { ...row('Cpu', 'CPU of all nodes and Redis, per edit', 'µs'), ...fifth },
      row('RedisCpu', 'of which Redis', 'µs'),
      row('P50', 'edit to remote, p50', 'ms'),
      row('P99', 'edit to remote, p99', 'ms'),
    ]
  }),
  generatorShare,
]

export const nodes3: Scenario = {
  name: 'nodes3',
  title: 'three nodes around one Redis, 60 people each typing 5 times a second',
  columns: { ours: 'Scriptorium, Redis', hocuspocus: 'Hocuspocus 4.7.0, its Redis extension, nothing stored' },
  seconds: 8,
  metrics,
  run,
}
