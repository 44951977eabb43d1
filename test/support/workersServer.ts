import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { chooseWorker } from '../../server/workers/balance.ts'
import { Cli } from './cli.ts'
import { eventually } from './eventually.ts'
import { temporaryDirectory } from './testServer.ts'

interface Served {
  readonly worker: number
  readonly pid: number
}

export const twoWorkers = [0, 1].map((index) => ({ index, load: 0 }))

/** A path that leads Hocuspocus clients, who name the document later, to the worker that others of it do not go to. */
export function elsewhere(document: string): string {
  const home = chooseWorker(twoWorkers, document)
  const names = Array.from({ length: 64 }, (_, index) => `elsewhere${index}`)
  return `/${names.find((name) => chooseWorker(twoWorkers, name) !== home) ?? ''}`
}

/** The real program with several workers, in processes of their own. */
export class WorkersServer {
  readonly directory: string
  readonly port: number
  readonly cli: Cli
  #log: string

  private constructor(cli: Cli, directory: string, { port, log }: { port: number; log: string }) {
    this.cli = cli
    this.directory = directory
    this.port = port
    this.#log = log
    cli.child.stdout?.on('data', (text: string) => (this.#log += text))
  }

  /** @param again whose place it takes: same directory, same port */
  static async start(args: readonly string[] = [], again?: WorkersServer): Promise<WorkersServer> {
    const directory = again?.directory ?? (await temporaryDirectory())
    const port = String(again?.port ?? 0)
    const all = ['serve', directory, '--port', port, '--workers', '2', '--log-level', 'debug', ...args]
    const cli = new Cli(all)
    let log = ''
    const collect = (text: string): void => void (log += text)
    cli.child.stdout?.on('data', collect)
    const listening = await cli.listening()
    cli.child.stdout?.off('data', collect)
    return new WorkersServer(cli, directory, { port: listening.port, log })
  }

  /** `ws://127.0.0.1:<port>` */
  get url(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  /** Lines of the log so far that match. */
  lines(pattern: RegExp): readonly string[] {
    return this.#log.split('\n').filter((line) => pattern.test(line))
  }

  /** The process that serves, or last served, as this worker. */
  pid(worker: number): number {
    const served = this.lines(/"msg":"a worker serves"/).map((line) => JSON.parse(line) as Served)
    const found = served.findLast((line) => line.worker === worker)
    if (found === undefined) throw new Error(`worker ${worker} never served`)
    return found.pid
  }

  /** The most files and sockets a worker may have open from now on; Linux only. */
  limitDescriptors(worker: number, count: number): void {
    execFileSync('prlimit', ['--pid', String(this.pid(worker)), `--nofile=${count}:${count}`])
  }

  /** Ends the worker with this signal, and waits until another process serves in its place. */
  async replace(worker: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const before = this.pid(worker)
    process.kill(before, signal)
    await eventually(() => this.pid(worker) !== before, `worker ${worker} serves again`)
  }

  async get(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { headers: { connection: 'close' } })
    return { status: response.status, text: await response.text() }
  }

  /** What one metric is in each worker, by index; labels other than `worker` are summed. */
  async metric(name: string): Promise<ReadonlyMap<string, number>> {
    const { text } = await this.get('/metrics')
    const values = new Map<string, number>()
    for (const [, worker = '', value] of text.matchAll(new RegExp(`^${name}{worker="(\\w+)".*} (\\S+)$`, 'gm'))) {
      values.set(worker, (values.get(worker) ?? 0) + Number(value))
    }
    return values
  }

  async dispose(): Promise<void> {
    await this.cli.dispose()
    await rm(this.directory, { recursive: true, force: true })
  }
}
