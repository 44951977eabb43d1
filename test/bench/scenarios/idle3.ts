import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { renew, RENEWAL_MS } from '../load/renewals.ts'
import { randomFrom } from '../measure/numbers.ts'
import { OwnShare } from '../measure/proc.ts'
import { Cluster } from '../servers/cluster.ts'
import { RedisMonitor } from '../servers/redisMonitor.ts'
import { closeAll, connectAll } from '../wire/client.ts'
import {
  check,
  generatorShare,
  type Check,
  type Metric,
  type Outcome,
  type RunContext,
  type Scenario,
} from './scenario.ts'

const NODES = 3
const CONNECTIONS = 3000
const PER_ROOM = 2

/** Whether those who share a document are on one node, as a proxy that hashes the address has it, or never. */
const PLACES = [
  { id: 'together', title: 'rooms on one node', nodeOf: (number: number) => Math.floor(number / PER_ROOM) % NODES },
  { id: 'apart', title: 'rooms on two nodes', nodeOf: (number: number) => number % NODES },
] as const

type Place = (typeof PLACES)[number]

interface Part {
  readonly values: Readonly<Record<string, number>>
  readonly check: Check
  readonly generator: number
}

async function settleIn(context: RunContext, { id, title, nodeOf }: Place): Promise<Part> {
  const { kind, seconds, log } = context
  const cluster = await Cluster.start(kind, join(context.directory, id), NODES)
  await delay(1000)
  const empty = await cluster.usage()
  log(`${title}: connecting ${CONNECTIONS} clients`)
  const clients = await connectAll(
    Array.from({ length: CONNECTIONS }, (_, number) => ({
      port: cluster.port(nodeOf(number)),
      dialect: kind.dialect,
      document: `idle-${Math.floor(number / PER_ROOM)}`,
    })),
  )
  const random = randomFrom(5)
  const stops = clients.map((client, number) => renew(client, number, random))
  // By then everything that happens once has happened.
  await delay(RENEWAL_MS + 2000)
  log(`idle for ${seconds} s, and again to count what passes through Redis`)
  const before = await cluster.usage()
  const own = new OwnShare()
  await delay(seconds * 1000)
  const after = await cluster.usage()
  const generator = own.share()
  const monitor = await RedisMonitor.start(cluster.redis)
  await delay(seconds * 1000)
  const traffic = await monitor.stop()
  for (const stop of stops) stop()
  const lost = clients.filter((client) => client.closedBy !== null).length
  closeAll(clients)
  await cluster.stop()
  const perMinute = 60 / seconds / CONNECTIONS
  return {
    values: {
      [`${id}Rss`]: (after.nodesRss - empty.nodesRss) / 1024 / CONNECTIONS,
      [`${id}Memory`]: (after.redis.memory - empty.redis.memory) / 1024 / CONNECTIONS,
      [`${id}Cpu`]: (after.nodesCpuMs - before.nodesCpuMs) / (seconds * 10),
      [`${id}RedisCpu`]: (after.redis.cpuMs - before.redis.cpuMs) / (seconds * 10),
      [`${id}Commands`]: traffic.commands * perMinute,
      [`${id}Published`]: traffic.published * perMinute,
      [`${id}Delivered`]: traffic.delivered * perMinute,
    },
    check: check(`${title}: nobody was disconnected`, lost === 0, `${lost} connections lost`),
    generator,
  }
}

async function run(context: RunContext): Promise<Outcome> {
  const parts: Part[] = []
  for (const place of PLACES) parts.push(await settleIn(context, place))
  return {
    values: {
      ...Object.assign({}, ...parts.map(({ values }) => values)),
      generator: Math.max(...parts.map(({ generator }) => generator)),
    },
    checks: parts.map((part) => part.check),
  }
}

const metrics: readonly Metric[] = [
  ...PLACES.flatMap(({ id, title }): readonly Metric[] => {
    const row = (name: string, what: string, unit: string): Metric => {
      return { id: `${id}${name}`, title: `${title}: ${what}`, unit, better: 'lower' }
    }
    return [
      row('Rss', 'RSS of the nodes per connection (its half of a room included)', 'KiB'),
      row('Memory', 'memory of Redis per connection', 'KiB'),
      row('Cpu', 'CPU of all nodes, share of one core', '%'),
      row('RedisCpu', 'CPU of Redis, share of one core', '%'),
      row('Commands', 'commands sent to Redis, per connection and minute', ''),
      row('Published', 'messages published, per connection and minute', ''),
      row('Delivered', 'messages Redis sends to nodes, per connection and minute', ''),
    ]
  }),
  generatorShare,
]

export const idle3: Scenario = {
  name: 'idle3',
  title: 'three nodes around one Redis, 3,000 idle connections, two in each room, renewing their presence every 15 s',
  columns: { ours: 'Scriptorium, Redis' },
  seconds: 30,
  metrics,
  run,
}
