import { join } from 'node:path'
import { usageOf } from '../measure/proc.ts'
import { RedisProcess, type RedisUsage } from './redisProcess.ts'
import type { ServerKind } from './serverKind.ts'
import { ServerProcess } from './serverProcess.ts'

export interface ClusterUsage {
  /** CPU of all nodes together, in milliseconds. */
  readonly nodesCpuMs: number
  /** Resident memory of all nodes together, in bytes. */
  readonly nodesRss: number
  readonly redis: RedisUsage
}

/** Several servers of one kind around one Redis. */
export class Cluster {
  readonly redis: RedisProcess
  readonly nodes: readonly ServerProcess[]

  private constructor(redis: RedisProcess, nodes: readonly ServerProcess[]) {
    this.redis = redis
    this.nodes = nodes
  }

  static async start(kind: ServerKind, directory: string, count: number): Promise<Cluster> {
    const redis = await RedisProcess.start(join(directory, 'redis'))
    const onRedis = kind.onRedis?.(redis)
    if (onRedis === undefined) throw new Error(`${kind.name} does not work with Redis`)
    const starting = Array.from({ length: count }, (_, node) =>
      ServerProcess.start(onRedis, join(directory, `node-${node}`)),
    )
    return new Cluster(redis, await Promise.all(starting))
  }

  /** The port of a node; numbers beyond the last begin again. */
  port(node: number): number {
    return this.nodes[node % this.nodes.length]?.port ?? 0
  }

  async usage(): Promise<ClusterUsage> {
    const usages = this.nodes.map(({ pid }) => usageOf(pid))
    return {
      nodesCpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
      nodesRss: usages.reduce((sum, { rss }) => sum + rss, 0),
      redis: await this.redis.usage(),
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    await this.redis.stop()
  }
}
