import type { IncomingMessage, Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { InvalidOptionError, ScriptoriumError } from '../shared/errors.ts'
import { defaultLimits } from '../shared/limits.ts'
import type { Limits } from '../shared/limits.ts'
import { ClusterNode } from './cluster/cluster.ts'
import type { Cluster, LocalNode } from './cluster/cluster.ts'
import { systemClock } from './clock.ts'
import type { Clock } from './clock.ts'
import { Content } from './document/content.ts'
import { Registry } from './document/registry.ts'
import type { Durability, Engine, EngineHealth } from './engine/engine.ts'
import { openLevelEngine } from './engine/level/levelEngine.ts'
import type { QuarantineInfo } from './engine/level/quarantine.ts'
import { MemoryEngine } from './engine/memory/memoryEngine.ts'
import { OpeningEngine } from './engine/openingEngine.ts'
import type { NotReadyReason } from './http/health.ts'
import { HttpListener } from './http/listener.ts'
import { createLogger, standardOutput } from './log.ts'
import type { Logger } from './log.ts'
import { createLogObserver } from './logObserver.ts'
import { createMetrics } from './metrics.ts'
import type { Metrics } from './metrics.ts'
import type { Observer, ServerEvent } from './observer.ts'
import { openRedis } from './openRedis.ts'
import { completeLimits } from './options/limits.ts'
import { completeOptions } from './options/parse.ts'
import type { Options } from './options/table.ts'
import { demoDirectory, packageVersion } from './package.ts'
import { Gateway } from './transport/gateway.ts'

/** Milliseconds `close` takes at most unless told otherwise. */
const DEFAULT_DEADLINE_MS = 10_000

/** Options of the command line, by their names in `optionTable`, and what only a program can pass. */
export interface ServerOptions extends Options {
  /** Overrides of single limits; see `shared/limits.ts`. */
  readonly limits: Partial<Limits>
  /** Another place to keep documents than LevelDB in `dataDir`. */
  readonly engine: Engine
  /** Told what happens; see `ServerEvent`. */
  readonly observer: Observer
  /** Where log lines go; default: standard output, as `logLevel` and `logFormat` say. */
  readonly logger: Logger
  readonly clock: Clock
  /** Adds `process_*` and `nodejs_*` to `/metrics`; default false. */
  readonly processMetrics: boolean
}

/** The documents in use. */
export interface Documents {
  /** Documents in memory. */
  readonly size: number
  names(): string[]
  /** A document's committed state as one Yjs V1 update, loaded if need be; the two bytes `00 00` when it is empty. */
  read(name: string): Promise<Uint8Array>
}

export interface ScriptoriumServer {
  /** Opens storage, then listens on `host` and `port`. Rejects with `StorageError`, or with Node's error. */
  listen(): Promise<{ url: string; host: string; port: number; durability: Durability }>
  /** Serves WebSockets on somebody else's HTTP server. All of its upgrades are taken. */
  attach(httpServer: Server): void
  /** Serves one WebSocket whose upgrade request somebody else received. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Resolves when storage is open; rejects with `StorageError`. `listen` waits for it by itself. */
  ready(): Promise<void>
  /**
   * Takes no new sockets, stores what was accepted, closes 1012 in waves, closes storage. Idempotent. Rejects, with
   * everything closed, when the deadline passes first.
   */
  close(options?: { deadlineMs?: number }): Promise<void>
  readonly documents: Documents
  /** All nodes that share the storage; alone, there is one. */
  readonly cluster: Cluster
}

/**
 * Composes a server; opening its storage begins at once.
 *
 * @throws InvalidOptionError
 */
export function createServer(options: Partial<ServerOptions> = {}): ScriptoriumServer {
  return new ComposedServer(options, null)
}

/** What a worker process has in place of what a server has that is alone. */
export interface WorkerParts {
  /** Opens the engine that the primary hosts; null: the one that the options name. */
  readonly engine: ((told: { readonly onHealth: (health: EngineHealth) => void }) => Promise<Engine>) | null
  /** Turns what this process has to say into what `/metrics` answers. */
  readonly completeMetrics: (own: () => Promise<string>) => () => Promise<string>
}

export interface WorkerServer extends ScriptoriumServer {
  /** Known when `ready` has resolved. */
  readonly durability: Durability
  /** Serves a connection that another process has accepted, and has read `head` from. */
  adopt(socket: Socket, head: Buffer): void
}

/** A server that listens on nothing: the primary gives it its connections. */
export function createWorkerServer(options: Partial<ServerOptions>, parts: WorkerParts): WorkerServer {
  return new ComposedServer(options, parts)
}

/** The only place that knows which implementation stands behind which seam. */
class ComposedServer implements WorkerServer {
  readonly documents: Documents
  readonly #cluster: ClusterNode
  readonly #options: Options
  readonly #clock: Clock
  readonly #engine: OpeningEngine
  readonly #registry: Registry
  readonly #gateway: Gateway
  readonly #http: HttpListener
  #closing: Promise<void> | null = null

  constructor(given: Partial<ServerOptions>, worker: WorkerParts | null) {
    this.#options = completeOptions(given)
    requireOneProcess(this.#options)
    this.#clock = given.clock ?? systemClock
    const { maxMessageBytes, maxConnections } = this.#options
    const limits = completeLimits({ maxMessageBytes, maxConnections, ...given.limits })
    const logger = given.logger ?? createLogger(this.#options, standardOutput())
    const metrics = this.#createMetrics(given.processMetrics ?? false)
    const observer = combine([createLogObserver(logger, this.#clock), metrics?.observer, given.observer], logger)
    const parts = { clock: this.#clock, observer, limits }
    const opening = { ...parts, logger }
    this.#engine = new OpeningEngine(chooseEngine(this.#options, opening, given.engine ?? worker?.engine ?? null))
    this.#registry = new Registry({ ...parts, engine: this.#engine })
    this.#gateway = new Gateway({ ...parts, registry: this.#registry, isDurable: () => isDurable(this.#engine) })
    this.#cluster = new ClusterNode({ ...parts, engine: this.#engine, local: this.#localNode() })
    this.documents = new DocumentsInUse(this.#registry, this.#engine)
    this.#http = new HttpListener({
      logger,
      metrics: metrics && worker ? { ...metrics, text: worker.completeMetrics(() => metrics.text()) } : metrics,
      health: { reasons: () => this.#notReady() },
      demoDirectory: this.#options.demo ? demoDirectory : null,
      version: packageVersion,
    })
    this.#gateway.attach(this.#http.server)
    this.#engine.ready().then(
      () => this.#cluster.join(),
      () => {
        // Told to whoever calls `ready` or `listen`.
      },
    )
  }

  get cluster(): Cluster {
    return this.#cluster
  }

  async listen(): Promise<{ url: string; host: string; port: number; durability: Durability }> {
    await this.#engine.ready()
    const { host, port } = this.#options
    const address = await this.#http.listen({ host, port })
    return { ...describeAddress(address), durability: this.#engine.durability }
  }

  get durability(): Durability {
    return this.#engine.durability
  }

  adopt(socket: Socket, head: Buffer): void {
    this.#http.adopt(socket, head)
  }

  attach(httpServer: Server): void {
    this.#gateway.attach(httpServer)
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#gateway.handleUpgrade(request, socket, head)
  }

  ready(): Promise<void> {
    return this.#engine.ready()
  }

  close({ deadlineMs = DEFAULT_DEADLINE_MS }: { deadlineMs?: number } = {}): Promise<void> {
    this.#closing ??= this.#closeBefore(deadlineMs)
    return this.#closing
  }

  async #closeBefore(deadlineMs: number): Promise<void> {
    let cancel = (): void => {}
    const deadline = new Promise<never>((_resolve, reject) => {
      cancel = this.#clock.after(deadlineMs, () => {
        reject(new ScriptoriumError('CLOSE_DEADLINE', 'not everything could be stored before the deadline'))
      })
    })
    try {
      await Promise.race([this.#closeInOrder(), deadline])
    } catch (error) {
      await this.#abandon()
      throw error
    } finally {
      cancel()
      this.#gateway.terminate()
      this.#registry.destroy()
    }
  }

  /** Nothing is waited for that could hang: storage may be what made us late. */
  async #abandon(): Promise<void> {
    this.#gateway.terminate()
    this.#cluster.leave()
    this.#engine.close().catch(() => {
      // The caller is told already that not everything could be stored.
    })
    await this.#http.close({ now: true })
  }

  /** Last edits are stored before anybody is sent away, and once more for what arrived meanwhile. */
  async #closeInOrder(): Promise<void> {
    this.#gateway.drain()
    await this.#registry.settle()
    await this.#gateway.close()
    await this.#registry.settle()
    await this.#http.close()
    this.#cluster.leave()
    await this.#engine.close()
  }

  #createMetrics(processMetrics: boolean): Metrics | null {
    if (!this.#options.metrics) return null
    const sources = {
      connections: () => this.#gateway.size,
      documents: () => this.#registry.size,
      traffic: () => this.#gateway.traffic,
      nodes: () => this.#cluster.counts().nodes,
    }
    return createMetrics({ sources, processMetrics })
  }

  #localNode(): LocalNode {
    return {
      status: () => ({ connections: this.#gateway.size, documents: this.#registry.size, version: packageVersion }),
      disconnect: (document, reason) => this.#registry.get(document)?.disconnect(reason),
      presence: (document) => this.#registry.get(document)?.everybody() ?? null,
    }
  }

  #notReady(): NotReadyReason[] {
    const reasons: NotReadyReason[] = []
    if (!this.#engine.isOpen) reasons.push('opening')
    if (this.#gateway.isDraining) reasons.push('draining')
    if (this.#engine.health().state === 'failing') reasons.push('storage failing')
    return reasons
  }
}

/** Whether what an engine stores outlives the process; not known before it is open. */
function isDurable(engine: OpeningEngine): boolean {
  return engine.isOpen && engine.durability !== 'memory'
}

class DocumentsInUse implements Documents {
  readonly #registry: Registry
  readonly #engine: Engine

  constructor(registry: Registry, engine: Engine) {
    this.#registry = registry
    this.#engine = engine
  }

  get size(): number {
    return this.#registry.size
  }

  names(): string[] {
    return this.#registry.names()
  }

  async read(name: string): Promise<Uint8Array> {
    const inMemory = await this.#registry.get(name)?.read()
    return inMemory ?? new Content(await this.#engine.load(name), defaultLimits).whole()
  }
}

interface Opening {
  readonly clock: Clock
  readonly observer: Observer
  readonly logger: Logger
}

/** Several processes need a primary, which only the command line starts. */
function requireOneProcess({ workers }: Options): void {
  if (workers === 1) return
  throw new InvalidOptionError(
    'workers',
    'The option workers is for the command line; a server in a program is one process.',
  )
}

/** The engine that a primary hosts for its workers; null when each of them can reach the storage by itself. */
export function openHostEngine(options: Options, opening: Opening): Promise<Engine> | null {
  return options.redis === '' ? openEngine(options, opening) : null
}

function chooseEngine(options: Options, opening: Opening, given: Engine | WorkerParts['engine']): Promise<Engine> {
  if (given === null) return openEngine(options, opening)
  return typeof given === 'function' ? given({ onHealth: reportHealth(opening.observer) }) : Promise.resolve(given)
}

function reportHealth(observer: Observer): (health: EngineHealth) => void {
  return (health) => {
    observer.observe(
      health.state === 'ok' ? { type: 'storageRecovered' } : { type: 'storageFailing', error: health.error },
    )
  }
}

function openEngine(options: Options, { clock, observer, logger }: Opening): Promise<Engine> {
  const onHealth = reportHealth(observer)
  if (options.redis !== '') return openRedis(options, { clock, observer, logger, onHealth })
  if (options.durability === 'memory') return Promise.resolve(new MemoryEngine())
  const onQuarantine = (info: QuarantineInfo): void => observer.observe({ type: 'quarantined', ...info })
  return openLevelEngine({ directory: options.dataDir, durability: options.durability, clock, onHealth, onQuarantine })
}

/** Everybody hears everything, and nobody's failure reaches the path it watches. */
function combine(observers: readonly (Observer | undefined)[], logger: Logger): Observer {
  const present = observers.filter((observer) => observer !== undefined)
  return {
    observe(event: ServerEvent): void {
      for (const observer of present) {
        try {
          observer.observe(event)
        } catch (error) {
          logger.error({ err: error, event: event.type }, 'an observer failed')
        }
      }
    },
  }
}

/** Where a server listens, and how a browser on this machine reaches it. */
export function describeAddress({ address, port }: AddressInfo): { url: string; host: string; port: number } {
  const name = isUnspecified(address) ? 'localhost' : address
  return { url: `http://${name.includes(':') ? `[${name}]` : name}:${port}`, host: address, port }
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}
