import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { processTree } from '../measure/proc.ts'
import { freePort } from '../../support/freePort.ts'
import { endInOrder, owned } from './children.ts'
import type { ServerKind } from './serverKind.ts'

const READY_TIMEOUT_MS = 30_000
const POLL_MS = 20

function answers(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ port, path, host: '127.0.0.1', agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.on('error', () => {
      resolve(false)
    })
  })
}

/** One run of a server. The data directory outlives it, so that it can be started again on the same data and port. */
export class ServerProcess {
  readonly kind: ServerKind
  readonly directory: string
  readonly port: number
  private readonly child: ChildProcess
  private readonly exited: Promise<void>

  private constructor(kind: ServerKind, directory: string, port: number) {
    this.kind = kind
    this.directory = directory
    this.port = port
    const { args, env } = kind.command(directory, port)
    const log = openSync(join(directory, 'server.log'), 'a')
    const environment = { ...process.env, NODE_ENV: 'production', ...env }
    this.child = spawn(process.execPath, args, { env: environment, stdio: ['ignore', log, log] })
    closeSync(log)
    this.exited = owned(this.child)
  }

  /** Starts it and waits until it answers. Throws with the end of its log when it does not. */
  static async start(kind: ServerKind, directory: string, port?: number): Promise<ServerProcess> {
    await mkdir(directory, { recursive: true })
    const server = new ServerProcess(kind, directory, port ?? (await freePort()))
    const deadline = performance.now() + READY_TIMEOUT_MS
    while (!(await answers(server.port, kind.readyPath))) {
      if (server.child.exitCode !== null || performance.now() > deadline) {
        await server.kill()
        throw new Error(`${kind.name} did not start: ${server.logTail()}`)
      }
      await delay(POLL_MS)
    }
    return server
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** SIGTERM, as an operator would; SIGKILL when it does not end. */
  stop(): Promise<void> {
    return endInOrder(this.child, this.exited)
  }

  /** SIGKILL to the whole tree, at once. */
  async kill(): Promise<void> {
    for (const pid of processTree(this.pid)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // Already gone: that is what we want.
      }
    }
    await this.exited
  }

  /** The same server on the same data and port. Only after `stop` or `kill`. */
  restart(): Promise<ServerProcess> {
    return ServerProcess.start(this.kind, this.directory, this.port)
  }

  private logTail(): string {
    return readFileSync(join(this.directory, 'server.log'), 'utf8').trim().split('\n').slice(-5).join(' | ')
  }
}
