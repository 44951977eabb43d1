import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine } from '../../server/engine/engine.ts'
import { EngineHost } from '../../server/engine/host/engineHost.ts'
import { openHostedEngine } from '../../server/engine/host/hostedEngine.ts'
import type { HostedEngineOptions } from '../../server/engine/host/hostedEngine.ts'

/** The host of an engine, and as many processes' ends as asked for, all in this process, over real local sockets. */
export class HostedEngines {
  readonly engine: Engine
  readonly host: EngineHost
  /** What the host gave connections up for. */
  readonly errors: Error[] = []
  readonly #directory: string
  readonly #server: Server
  readonly #sockets: Socket[] = []

  private constructor(engine: Engine, directory: string) {
    this.engine = engine
    this.#directory = directory
    this.host = new EngineHost({ engine, onError: (error) => this.errors.push(error) })
    this.#server = createServer((socket) => this.host.serve(socket))
  }

  static async over(engine: Engine): Promise<HostedEngines> {
    const engines = new HostedEngines(engine, await mkdtemp(join(tmpdir(), 'scriptorium-host-')))
    engines.#server.listen(engines.#path)
    await once(engines.#server, 'listening')
    return engines
  }

  /** Another process's end of a new connection. */
  async open(options: Omit<HostedEngineOptions, 'socket'> = {}): Promise<Engine> {
    return openHostedEngine({ ...options, socket: await this.connect() })
  }

  async connect(): Promise<Socket> {
    const socket = connect(this.#path)
    await once(socket, 'connect')
    this.#sockets.push(socket)
    return socket
  }

  /** Ends every connection, not the engine. */
  async dispose(): Promise<void> {
    this.host.close()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    await rm(this.#directory, { recursive: true, force: true })
  }

  get #path(): string {
    return join(this.#directory, 'engine.sock')
  }
}
