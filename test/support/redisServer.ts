import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { eventually } from './eventually.ts'
import { freePort } from './freePort.ts'

export { freePort } from './freePort.ts'

/** Why tests that need a Redis server of their own cannot run here; null: they can. */
export const redisMissing: string | null =
  spawnSync('redis-server', ['--version']).error === undefined
    ? null
    : 'redis-server is not installed (Debian: apt-get install redis-server)'

if (redisMissing !== null) process.stderr.write(`Redis tests are SKIPPED: ${redisMissing}\n`)

export interface RedisServerOptions {
  /** `appendfsync`; null: no append-only file. Default: everysec. */
  readonly appendfsync?: 'always' | 'everysec' | 'no' | null
  /** More of the configuration, as `redis-server` takes it: ['--maxmemory', '10mb']. */
  readonly args?: readonly string[]
  /** Default: a free one. */
  readonly port?: number
}

/** A test that runs out of time disposes of nothing. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** A real server in a process of its own, with its data in a temporary directory. */
export class RedisServer {
  readonly port: number
  readonly #directory: string
  /** Null: a sentinel. */
  readonly #args: readonly string[] | null
  #child: ChildProcess | null = null

  private constructor(port: number, directory: string, args: readonly string[] | null) {
    this.port = port
    this.#directory = directory
    this.#args = args
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const { appendfsync = 'everysec', args = [] } = options
    const aof = appendfsync === null ? ['--appendonly', 'no'] : ['--appendonly', 'yes', '--appendfsync', appendfsync]
    for (let attempt = 1; ; attempt++) {
      const directory = await mkdtemp(join(tmpdir(), 'scriptorium-redis-'))
      const server = new RedisServer(options.port ?? (await freePort()), directory, [...aof, ...args])
      try {
        await server.resume()
        return server
      } catch (error) {
        await server.dispose()
        // Somebody else may have taken the port that was free.
        if (attempt === 3 || options.port !== undefined) throw error
      }
    }
  }

  /** A sentinel, with these lines as its configuration: it has to be a file, which it rewrites. */
  static async startSentinel(config: readonly string[]): Promise<RedisServer> {
    const [port, directory] = [await freePort(), await mkdtemp(join(tmpdir(), 'scriptorium-redis-'))]
    const file = join(directory, 'sentinel.conf')
    await writeFile(file, [`port ${String(port)}`, 'bind 127.0.0.1', `dir ${directory}`, ...config, ''].join('\n'))
    const server = new RedisServer(port, directory, null)
    await server.resume()
    return server
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  get url(): string {
    return `redis://127.0.0.1:${String(this.port)}`
  }

  /** Starts it again after `stop` or `kill`, on the same port and with the data there is; goes on after `pause`. */
  async resume(): Promise<void> {
    if (this.#child !== null) {
      this.#child.kill('SIGCONT')
      return
    }
    const child = spawn('redis-server', this.#commandLine(), { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk: Buffer): void => void (output += chunk.toString())
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    this.#child = child
    running.add(child)
    child.once('exit', () => running.delete(child))
    const ready = this.#args === null ? '+monitor' : 'Ready to accept connections'
    const isOver = (): boolean => output.includes(ready) || child.exitCode !== null
    await eventually(isOver, 'Redis accepts connections', { detail: () => output })
    if (child.exitCode !== null) throw new Error(output)
  }

  /** Hangs: takes connections and commands (the kernel does), and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  /** In order, or at once as `kill -9` does. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child
    if (child === null) return
    this.#child = null
    child.kill(signal)
    child.kill('SIGCONT')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  /** What a disk loses, or a replica never had. Only while stopped. */
  async forget(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
    await mkdir(this.#directory)
  }

  /** Sends one command over a connection of its own. */
  command(...args: string[]): Promise<unknown> {
    return redisCommand(this.url, args)
  }

  async dispose(): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.#directory, { recursive: true, force: true })
  }

  #commandLine(): string[] {
    if (this.#args === null) return [join(this.#directory, 'sentinel.conf'), '--sentinel']
    const own = ['--port', String(this.port), '--dir', this.#directory, '--bind', '127.0.0.1', '--save', '']
    return [...own, ...this.#args]
  }
}

export async function redisCommand(url: string, args: string[]): Promise<unknown> {
  const client = createClient({ url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await client.sendCommand(args)
  } finally {
    client.destroy()
  }
}

/** A prefix that no other test has. */
export function ownPrefix(): string {
  return `test-${randomBytes(6).toString('hex')}:`
}

/** Removes everything under a prefix, from a server that is not ours alone. */
export async function removeKeys(url: string, prefix: string): Promise<void> {
  const client = createClient({ url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    for await (const keys of client.scanIterator({ MATCH: `${prefix}*`, COUNT: 1000 })) {
      if (keys.length > 0) await client.unlink(keys)
    }
  } finally {
    client.destroy()
  }
}
