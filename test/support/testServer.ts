import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServerEvent } from '../../server/observer.ts'
import { createServer } from '../../server/server.ts'
import type { ScriptoriumServer, ServerOptions } from '../../server/server.ts'

/** A new directory under the system's temporary one. */
export function temporaryDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'scriptorium-test-'))
}

/** A whole server in this process, on LevelDB in a directory of its own, listening on a free port. */
export class TestServer {
  readonly directory: string
  readonly server: ScriptoriumServer
  readonly port: number
  /** Everything the server reported, oldest first. */
  readonly events: ServerEvent[]

  private constructor(directory: string, started: { server: ScriptoriumServer; port: number; events: ServerEvent[] }) {
    this.directory = directory
    this.server = started.server
    this.port = started.port
    this.events = started.events
  }

  static async start(options: Partial<ServerOptions> = {}): Promise<TestServer> {
    const directory = options.dataDir ?? (await temporaryDirectory())
    return new TestServer(directory, await launch({ ...options, dataDir: directory }))
  }

  /** `ws://127.0.0.1:<port>`, without a slash at the end. */
  get url(): string {
    return `ws://127.0.0.1:${String(this.port)}`
  }

  /** Stops it in order and starts another on the same directory and the same port. */
  async restart(options: Partial<ServerOptions> = {}): Promise<TestServer> {
    await this.server.close()
    return new TestServer(this.directory, await launch({ ...options, dataDir: this.directory, port: this.port }))
  }

  count(type: ServerEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }

  /** Stops it and removes its directory, also when a test has stopped it already. */
  async dispose(): Promise<void> {
    await this.server.close().catch(() => undefined)
    await rm(this.directory, { recursive: true, force: true })
  }
}

async function launch(options: Partial<ServerOptions>) {
  const events: ServerEvent[] = []
  const observer = { observe: (event: ServerEvent) => void events.push(event) }
  const server = createServer({ port: 0, demo: false, metrics: false, logLevel: 'silent', observer, ...options })
  const { port } = await server.listen()
  return { server, port, events }
}
