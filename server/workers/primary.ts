import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { ScriptoriumError } from '../../shared/errors.ts'
import type { Listening } from '../cli/banner.ts'
import type { Clock } from '../clock.ts'
import type { Engine } from '../engine/engine.ts'
import { EngineHost } from '../engine/host/engineHost.ts'
import { LISTEN_BACKLOG } from '../http/listener.ts'
import { defaultTimeouts } from '../http/timeouts.ts'
import type { Logger } from '../log.ts'
import type { Options } from '../options/table.ts'
import { describeAddress } from '../server.ts'
import { Arrivals } from './arrivals.ts'
import type { Arrival } from './arrivals.ts'
import { chooseWorker } from './balance.ts'
import type { Handoff } from './handoffs.ts'
import { mergeMetrics } from './mergedMetrics.ts'
import { WorkerProcess } from './workerProcess.ts'

/** The part of the time a stop may take that is the workers’: the rest is for closing the storage. */
const WORKERS_SHARE = 0.9
/** Seconds after which a refused client should try again. */
const RETRY_AFTER_SECONDS = 5

export interface PrimaryOptions {
  readonly options: Options
  /** Number of workers. */
  readonly count: number
  /** The program's own file. */
  readonly entry: string
  readonly clock: Clock
  readonly logger: Logger
  /** The engine that is hosted for the workers; null when each of them can reach the storage itself. */
  readonly engine: Promise<Engine> | null
  /** Metrics of this process, in Prometheus' text format. */
  readonly metrics: () => Promise<string>
  readonly onRefused: (refusal: { readonly status: number; readonly reason: string; readonly remote: string }) => void
}

/**
 * The process that everybody connects to, when there are several: it accepts connections and gives each, by its first
 * document, to a worker; it hosts the storage that only one process can open; it starts workers anew when they die.
 */
export class Primary {
  readonly #options: PrimaryOptions
  readonly #server: Server
  readonly #arrivals: Arrivals
  readonly #workers: readonly WorkerProcess[]
  #host: EngineHost | null = null
  /** Workers' ends of the engine, from before it was open. */
  #early: Socket[] = []
  #closing: Promise<void> | null = null

  constructor(options: PrimaryOptions) {
    const { clock, count } = options
    this.#options = options
    this.#arrivals = new Arrivals({
      clock,
      timeouts: defaultTimeouts,
      mayAnswer: () => this.#closing === null && !this.#isFull() && this.#workers.some((one) => one.takesConnections),
      onArrival: (arrival) => this.#arrived(arrival),
    })
    this.#workers = Array.from({ length: count }, (_, index) => this.#worker(index))
    // As Node's HTTP server does it for its own connections.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#arrivals.add(socket))
  }

  /** Opens the storage and starts the workers, then listens. Rejects with `StorageError`, or with Node's error. */
  async listen(): Promise<Listening> {
    const starting = this.#workers.map((worker) => worker.start())
    const [, started] = await Promise.all([this.#hostEngine(), Promise.all(starting)])
    const { host, port } = this.#options.options
    this.#server.listen({ host, port, backlog: LISTEN_BACKLOG })
    await once(this.#server, 'listening')
    return { ...describeAddress(this.#server.address() as AddressInfo), durability: started[0]?.durability ?? 'memory' }
  }

  /** To be called whenever the engine's health has changed. */
  healthChanged(): void {
    this.#host?.healthChanged()
  }

  /**
   * Has the workers store everything and close their clients, then closes the storage. Until they have ended, they tell
   * who connects that the server is stopping. Idempotent. Rejects, with everything closed, when the deadline
   * passes first.
   */
  close({ deadlineMs }: { deadlineMs: number }): Promise<void> {
    this.#closing ??= this.#closeBefore(deadlineMs)
    return this.#closing
  }

  async #hostEngine(): Promise<void> {
    const { engine, clock, logger } = this.#options
    if (engine === null) return
    const onError = (error: Error): void => logger.error({ err: error }, 'a worker’s engine connection was broken')
    const host = new EngineHost({ engine: await engine, clock, onError })
    this.#host = host
    for (const socket of this.#early.splice(0)) host.serve(socket)
  }

  #worker(index: number): WorkerProcess {
    const { clock, logger, entry, options, engine } = this.#options
    const onEngineSocket = (socket: Socket): void => {
      if (this.#host === null) this.#early.push(socket)
      else this.#host.serve(socket)
    }
    return new WorkerProcess({
      index,
      entry,
      options,
      clock,
      logger,
      onEngineSocket: engine === null ? null : onEngineSocket,
      onRefused: (handoff) => this.#dispatch(handoff),
      onSilent: () => this.#relieve(index),
      onScrape: () => this.#metrics(),
    })
  }

  #arrived(arrival: Arrival): void {
    if (arrival.isUpgrade && !arrival.isAnswered && this.#isFull()) this.#refuse(arrival, 'too many connections')
    else this.#dispatch({ ...arrival, refusedBy: new Set() })
  }

  #isFull(): boolean {
    const open = this.#workers.reduce((sum, { load }) => sum + load, this.#arrivals.answered)
    return open >= this.#options.options.maxConnections
  }

  #dispatch(handoff: Handoff): void {
    const candidates = this.#workers.filter(
      ({ takesConnections, index }) => takesConnections && !handoff.refusedBy.has(index),
    )
    const answering = candidates.filter(({ answers }) => answers)
    const worker = chooseWorker(answering.length > 0 ? answering : candidates, handoff.document)
    if (worker === undefined) this.#refuse(handoff, 'no worker takes connections')
    else worker.hand(handoff)
  }

  /** What waits for a worker that does not answer goes to others, if there are any that do. */
  #relieve(index: number): void {
    if (!this.#workers.some(({ takesConnections, answers }) => takesConnections && answers)) return
    const { waiting, sent } = this.#workers[index]?.withdraw() ?? { waiting: [], sent: [] }
    for (const handoff of waiting) this.#dispatch(handoff)
    // It finds these when it wakes, so nobody else may serve them: their clients have to come again.
    for (const handoff of sent) this.#refuse(handoff, 'the worker does not answer')
  }

  #refuse({ socket, isAnswered }: Arrival, reason: string): void {
    this.#options.onRefused({ status: 503, reason, remote: socket.remoteAddress ?? 'unknown' })
    // Closing is not enough: a worker that hangs may hold it open.
    if (isAnswered) return void socket.end(() => socket.destroy())
    const body = `${reason}\n`
    const answer =
      `HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${RETRY_AFTER_SECONDS}\r\nConnection: close\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    socket.end(answer, () => socket.destroy())
  }

  /** Of all processes; a worker that does not answer is seen to be missing by `scriptorium_worker_up`. */
  async #metrics(): Promise<string> {
    const [own, ...texts] = await Promise.all([
      this.#options.metrics(),
      ...this.#workers.map((worker) => worker.collect()),
    ])
    const processes = texts.map((text, index) => ({ worker: String(index), text: text ?? '' }))
    return `${mergeMetrics([{ worker: 'primary', text: own }, ...processes])}\n${this.#workerMetrics(texts)}`
  }

  #workerMetrics(texts: readonly (string | null)[]): string {
    const up = texts.map((text, index) => `scriptorium_worker_up{worker="${index}"} ${text === null ? 0 : 1}`)
    const starts = this.#workers.map(
      ({ index, starts }) => `scriptorium_worker_starts_total{worker="${index}"} ${starts}`,
    )
    return [
      '# HELP scriptorium_worker_up 1 when the worker has answered this scrape.',
      '# TYPE scriptorium_worker_up gauge',
      ...up,
      '',
      '# HELP scriptorium_worker_starts_total Processes started under this worker’s index.',
      '# TYPE scriptorium_worker_starts_total counter',
      ...starts,
      '',
    ].join('\n')
  }

  async #closeBefore(deadlineMs: number): Promise<void> {
    let cancel = (): void => {}
    const deadline = new Promise<never>((_resolve, reject) => {
      cancel = this.#options.clock.after(deadlineMs, () => reject(incomplete()))
    })
    try {
      await Promise.race([this.#closeInOrder(deadlineMs * WORKERS_SHARE), deadline])
    } finally {
      cancel()
      for (const worker of this.#workers) worker.kill()
      this.#server.close()
      this.#arrivals.close()
    }
  }

  async #closeInOrder(deadlineMs: number): Promise<void> {
    const stopped = await Promise.all(this.#workers.map((worker) => worker.stop(deadlineMs)))
    this.#host?.close()
    const engine = await this.#options.engine
    await engine?.close()
    if (stopped.includes(false)) throw incomplete()
  }
}

function incomplete(): ScriptoriumError {
  return new ScriptoriumError('CLOSE_DEADLINE', 'not everything could be stored before the deadline')
}
