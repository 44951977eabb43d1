import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { usageOf } from '../measure/proc.ts'
import { freePort } from '../../support/freePort.ts'
import { endInOrder, owned } from './children.ts'

const READY_TIMEOUT_MS = 10_000
const POLL_MS = 20

/** What Redis has done since it started. */
export interface RedisUsage {
  readonly cpuMs: number
  /** Commands by name, lower case; those inside scripts included. */
  readonly calls: ReadonlyMap<string, number>
  /** Bytes received and sent. */
  readonly netBytes: number
  /** Bytes of memory in use for data and connections, now. */
  readonly memory: number
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

/** A Redis server of the benchmark's own, with the append-only file that the README asks for. */
export class RedisProcess {
  readonly port: number
  private readonly directory: string
  private readonly child: ChildProcess
  private readonly exited: Promise<void>
  private readonly client: ReturnType<typeof createClient>
  private failure: Error | null = null

  private constructor(directory: string, port: number) {
    this.directory = directory
    this.port = port
    const log = openSync(join(directory, 'redis.log'), 'a')
    const data = ['--dir', directory, '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '']
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--maxmemory-policy', 'noeviction', ...data]
    this.child = spawn('redis-server', args, { stdio: ['ignore', log, log] })
    closeSync(log)
    this.child.once('error', (error) => {
      this.failure = error
    })
    this.exited = owned(this.child)
    this.client = createClient({ url: this.url, socket: { reconnectStrategy: false } })
    // The command that fails says so.
    this.client.on('error', () => undefined)
  }

  /** Throws in words when there is no `redis-server` here. */
  static async start(directory: string): Promise<RedisProcess> {
    await mkdir(directory, { recursive: true })
    const redis = new RedisProcess(directory, await freePort())
    const deadline = performance.now() + READY_TIMEOUT_MS
    while (!(await listens(redis.port))) {
      if (redis.failure !== null || redis.child.exitCode !== null || performance.now() > deadline) throw redis.problem()
      await delay(POLL_MS)
    }
    await redis.client.connect()
    return redis
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  async command(...args: string[]): Promise<unknown> {
    return this.client.sendCommand(args)
  }

  async usage(): Promise<RedisUsage> {
    const info = String(await this.command('INFO', 'everything'))
    const number = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
    const commands = [...info.matchAll(/^cmdstat_(?<name>[^:]+):calls=(?<calls>\d+)/gm)]
    return {
      cpuMs: usageOf(this.pid).cpuMs,
      calls: new Map(commands.map(({ groups }) => [groups?.['name'] ?? '', Number(groups?.['calls'])])),
      netBytes: number('total_net_input_bytes') + number('total_net_output_bytes'),
      memory: number('used_memory'),
    }
  }

  async stop(): Promise<void> {
    this.client.destroy()
    await endInOrder(this.child, this.exited)
  }

  private problem(): Error {
    this.child.kill('SIGKILL')
    const words = 'redis-server does not start (Debian: apt-get install redis-server)'
    const log = readFileSync(join(this.directory, 'redis.log'), 'utf8').trim().split('\n').at(-1) ?? ''
    return new Error(`${words}: ${this.failure?.message ?? log}`)
  }
}
