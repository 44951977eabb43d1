import { spawnSync } from 'node:child_process'
import { eventually } from './eventually.ts'
import { freePort } from './freePort.ts'
import { redisCommand, RedisServer } from './redisServer.ts'

/** Milliseconds after which a node of a cluster, or a master behind sentinels, is taken for dead. */
const DEAD_AFTER_MS = 1_000

/** A real Redis Cluster: three masters, each with a replica. */
export class RedisCluster {
  readonly nodes: RedisServer[]

  private constructor(nodes: RedisServer[]) {
    this.nodes = nodes
  }

  static async start(): Promise<RedisCluster> {
    const nodes = await Promise.all(Array.from({ length: 6 }, () => startNode()))
    const cluster = new RedisCluster(nodes)
    const addresses = nodes.map(({ port }) => `127.0.0.1:${String(port)}`)
    const created = spawnSync('redis-cli', [
      '--cluster',
      'create',
      ...addresses,
      '--cluster-replicas',
      '1',
      '--cluster-yes',
    ])
    if (created.status !== 0) throw new Error(`${created.stdout.toString()}${created.stderr.toString()}`)
    await cluster.settled()
    return cluster
  }

  get url(): string {
    return `redis+cluster://${this.nodes.map(({ port }) => `127.0.0.1:${String(port)}`).join(',')}`
  }

  /** Resolves when every node that runs says that all slots are served. */
  async settled(): Promise<void> {
    await eventually(
      async () => {
        const infos = await Promise.all(this.#running().map((node) => node.command('CLUSTER', 'INFO')))
        return infos.every((info) => String(info).includes('cluster_state:ok'))
      },
      'the cluster is whole',
      { within: 30_000 },
    )
  }

  /** A further master, without slots, known to all. */
  async addMaster(): Promise<RedisServer> {
    const [known] = this.nodes
    const added = await startNode()
    this.nodes.push(added)
    const bus = /@(\d+)/.exec(String(await added.command('CLUSTER', 'NODES')))?.[1] ?? ''
    await known?.command('CLUSTER', 'MEET', '127.0.0.1', String(added.port), bus)
    const know = async (node: RedisServer): Promise<boolean> =>
      String(await node.command('CLUSTER', 'NODES')).includes(`:${String(added.port)}@`)
    const allKnow = async (): Promise<boolean> => (await Promise.all(this.nodes.map(know))).every(Boolean)
    await eventually(allKnow, 'all know the new node', { within: 30_000 })
    await this.settled()
    return added
  }

  /** The nodes that are masters, as one that runs sees it. */
  async masters(): Promise<RedisServer[]> {
    const roles = await Promise.all(this.#running().map(async (node) => [node, await roleOf(node)] as const))
    return roles.filter(([, role]) => role === 'master').map(([node]) => node)
  }

  /** Makes one replica the master of its shard, in order, and returns the one that was. */
  async failOver(): Promise<RedisServer> {
    const masters = new Set(await this.masters())
    const replica = this.#running().find((node) => !masters.has(node))
    if (replica === undefined) throw new Error('no replica runs')
    await eventually(async () => (await replica.command('CLUSTER', 'FAILOVER')) === 'OK', 'the replica can take over')
    await eventually(async () => (await roleOf(replica)) === 'master', 'the replica has taken over')
    const hasGivenUp = async (node: RedisServer): Promise<boolean> => (await roleOf(node)) !== 'master'
    let old = undefined as RedisServer | undefined
    const isKnown = async (): Promise<boolean> => (old = await findAsync([...masters], hasGivenUp)) !== undefined
    await eventually(isKnown, 'the old master has given up')
    if (old === undefined) throw new Error('no master has given up')
    return old
  }

  /** Begins to move a slot to another master; the returned function ends it. In between `moveKeys` moves what is there. */
  async beginMove(slot: number, chosen?: RedisServer): Promise<() => Promise<void>> {
    const { from, to, masters } = await this.#sides(slot, chosen)
    const [fromId, toId] = [String(await from.command('CLUSTER', 'MYID')), String(await to.command('CLUSTER', 'MYID'))]
    await to.command('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', fromId)
    await from.command('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', toId)
    return async () => {
      // The new owner first, or the slot would have none for a moment.
      for (const node of [to, ...masters.filter((master) => master !== to)]) {
        await node.command('CLUSTER', 'SETSLOT', String(slot), 'NODE', toId)
      }
    }
  }

  async moveKeys(slot: number, keys: readonly string[], chosen?: RedisServer): Promise<void> {
    const { from, to } = await this.#sides(slot, chosen)
    await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys)
  }

  async dispose(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.dispose()))
  }

  /** Who serves the slot, and some other master (or the chosen one), always the same as long as the slot is where it is. */
  async #sides(slot: number, chosen?: RedisServer) {
    const masters = (await this.masters()).sort((left, right) => left.port - right.port)
    const ranges = (await masters[0]?.command('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    const range = ranges.find(([start, end]) => start <= slot && slot <= end)
    const from = masters.find(({ port }) => port === range?.[2][1])
    const to = chosen ?? masters.find((master) => master !== from)
    if (from === undefined || to === undefined) throw new Error('nobody serves the slot')
    return { from, to, masters }
  }

  #running(): RedisServer[] {
    return this.nodes.filter(({ isRunning }) => isRunning)
  }
}

/** A master, a replica, and three sentinels that watch them under the name "documents". */
export class RedisSentinels {
  readonly servers: readonly [RedisServer, RedisServer]
  readonly sentinels: readonly RedisServer[]

  private constructor(servers: readonly [RedisServer, RedisServer], sentinels: readonly RedisServer[]) {
    this.servers = servers
    this.sentinels = sentinels
  }

  static async start(): Promise<RedisSentinels> {
    const master = await RedisServer.start()
    const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(master.port)] })
    const config = [
      `sentinel monitor documents 127.0.0.1 ${String(master.port)} 2`,
      `sentinel down-after-milliseconds documents ${String(DEAD_AFTER_MS)}`,
      'sentinel failover-timeout documents 5000',
    ]
    const sentinels = await Promise.all(Array.from({ length: 3 }, () => RedisServer.startSentinel(config)))
    const group = new RedisSentinels([master, replica], sentinels)
    await eventually(() => group.#allKnowEachOther(), 'the sentinels know one another', { within: 30_000 })
    return group
  }

  get url(): string {
    return `redis+sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${String(port)}`).join(',')}/documents`
  }

  /** The port of the one that the sentinels call master. */
  async masterPort(): Promise<number> {
    const [sentinel] = this.sentinels
    if (sentinel === undefined) throw new Error('there are no sentinels')
    const reply = await sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'documents')
    return Number((reply as string[])[1])
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.dispose()))
  }

  async #allKnowEachOther(): Promise<boolean> {
    const replies = await Promise.all(
      this.sentinels.map(({ url }) => redisCommand(url, ['SENTINEL', 'CKQUORUM', 'documents'])),
    )
    const replicas = await Promise.all(
      this.sentinels.map(({ url }) => redisCommand(url, ['SENTINEL', 'REPLICAS', 'documents'])),
    )
    const known = replicas.every((reply) => (reply as unknown[]).length === 1)
    return known && replies.every((reply) => String(reply).startsWith('OK 3'))
  }
}

async function startNode(): Promise<RedisServer> {
  // Its own choice for the bus, 10,000 above the other port, is seldom free on a machine that runs several clusters.
  const ports = ['--cluster-port', String(await freePort())]
  const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(DEAD_AFTER_MS)]
  return RedisServer.start({ args: [...cluster, ...ports, '--cluster-require-full-coverage', 'no'] })
}

async function roleOf(node: RedisServer): Promise<string> {
  const reply = await node.command('ROLE')
  return String((reply as unknown[])[0])
}

async function findAsync<T>(values: readonly T[], holds: (value: T) => Promise<boolean>): Promise<T | undefined> {
  const held = await Promise.all(values.map(holds))
  return values.find((_, index) => held[index])
}
