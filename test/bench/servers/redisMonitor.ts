import { connect, type Socket } from 'node:net'
import type { RedisProcess } from './redisProcess.ts'

/** What passed between Redis and the nodes. */
export interface RedisTraffic {
  /** Commands the nodes sent; what a script does inside Redis is not one. */
  readonly commands: number
  /** Messages published, by nodes or inside scripts. */
  readonly published: number
  /** Messages sent to nodes: each published one times the subscribers of its channel, the publisher included. */
  readonly delivered: number
}

/** As Redis writes it: `+1700000000.000000 [0 127.0.0.1:50000] "spublish" "channel" "…"`, or `[0 lua]`. */
const LINE = /^\+[\d.]+ \[\d+ (?<origin>[^\]]+)\] "(?<command>\w+)"(?: "(?<first>(?:[^"\\]|\\.)*)")?/

/** Told to Redis when the counting is to end. */
const END = 'scriptorium-bench-end'

/**
 * Counts everything Redis is told, by MONITOR. That costs Redis work, so nothing else may be measured meanwhile. `INFO`
 * alone does not say how many subscribers a message went to.
 */
export class RedisMonitor {
  private readonly redis: RedisProcess
  private readonly socket: Socket
  private rest = ''
  private commands = 0
  private onEnd = (): void => {}
  private readonly publishedOn = new Map<string, { readonly sharded: boolean; count: number }>()

  private constructor(redis: RedisProcess, socket: Socket) {
    this.redis = redis
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      const lines = (this.rest + text).split('\r\n')
      this.rest = lines.pop() ?? ''
      for (const line of lines) this.note(line)
    })
  }

  static start(redis: RedisProcess): Promise<RedisMonitor> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: redis.port, host: '127.0.0.1' })
      const monitor = new RedisMonitor(redis, socket)
      socket.once('error', reject)
      socket.once('data', () => {
        resolve(monitor)
      })
      socket.write('MONITOR\r\n')
    })
  }

  /**
   * Ends the counting of what Redis has been told so far. What was said on a channel that nobody listens to any more counts as
   * not delivered.
   */
  async stop(): Promise<RedisTraffic> {
    const ended = new Promise<void>((resolve) => {
      this.onEnd = resolve
    })
    // What came before it has then been read.
    await this.redis.command('ECHO', END)
    await ended
    this.socket.destroy()
    const counts = [...this.publishedOn.entries()]
    let [published, delivered] = [0, 0]
    for (const [channel, { sharded, count }] of counts) {
      published += count
      delivered += count * (await this.subscribers(channel, sharded))
    }
    return { commands: this.commands, published, delivered }
  }

  private async subscribers(channel: string, sharded: boolean): Promise<number> {
    const reply = await this.redis.command('PUBSUB', sharded ? 'SHARDNUMSUB' : 'NUMSUB', channel)
    return Array.isArray(reply) ? Number(reply[1]) : 0
  }

  private note(line: string): void {
    const { origin, command, first } = LINE.exec(line)?.groups ?? {}
    if (origin === undefined || command === undefined) return
    if (first === END) {
      this.onEnd()
      return
    }
    if (origin !== 'lua') this.commands++
    const name = command.toLowerCase()
    if ((name !== 'publish' && name !== 'spublish') || first === undefined) return
    const channel = this.publishedOn.get(first) ?? { sharded: name === 'spublish', count: 0 }
    channel.count++
    this.publishedOn.set(first, channel)
  }
}
