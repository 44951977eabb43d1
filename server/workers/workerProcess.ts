import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import type { Durability } from '../engine/engine.ts'
import type { Logger } from '../log.ts'
import type { Options } from '../options/table.ts'
import type { Candidate } from './balance.ts'
import { Handoffs } from './handoffs.ts'
import type { Handoff, Withdrawn } from './handoffs.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Pulse } from './heartbeat.ts'
import { ENGINE_DESCRIPTOR, WORKER_ARGUMENT } from './messages.ts'
import type { ToPrimary, ToWorker } from './messages.ts'

/** Milliseconds before a worker that died is started again, doubled with every death in a row. */
const FIRST_RESTART_MS = 100
const LAST_RESTART_MS = 5_000
/** Milliseconds after which a worker's death is not the same trouble as the one before. */
const STEADY_MS = 30_000
/** Milliseconds a worker has to tell its metrics; one that stands still is left out. */
const COLLECT_TIMEOUT_MS = 2_000

export interface WorkerProcessOptions {
  readonly index: number
  /** The program, which becomes a worker when told so. */
  readonly entry: string
  /** The worker's own. */
  readonly options: Options
  readonly clock: Clock
  readonly logger: Logger
  /** Called with the worker's end of the engine; null: workers open the storage themselves. */
  readonly onEngineSocket: ((socket: Socket) => void) | null
  /** This worker could not be given that connection. */
  readonly onRefused: (handoff: Handoff) => void
  /** It does not answer; called again and again until it does, or has ended. */
  readonly onSilent: () => void
  /** A client wants the metrics of all processes. */
  readonly onScrape: () => Promise<string>
}

type State =
  | { readonly name: 'starting'; readonly child: ChildProcess }
  | { readonly name: 'serving'; readonly child: ChildProcess; readonly since: number }
  /** It has said that it ends by itself. */
  | { readonly name: 'leaving'; readonly child: ChildProcess; readonly since: number }
  /** It is told to end, and is not started again. */
  | { readonly name: 'stopping'; readonly child: ChildProcess }
  /** It died, and is started again a little later. */
  | { readonly name: 'waiting'; readonly cancel: () => void }
  | { readonly name: 'stopped'; readonly code: number | null }

/** One worker, under one index for ever: whatever ends it, another process takes its place. */
export class WorkerProcess implements Candidate {
  readonly index: number
  readonly #options: WorkerProcessOptions
  readonly #logger: Logger
  readonly #handoffs: Handoffs
  readonly #heartbeat: Heartbeat
  readonly #collecting = new Map<number, (text: string | null) => void>()
  #watchers: (() => void)[] = []
  #state: State = { name: 'stopped', code: null }
  /** Connections it had when it was last heard of. */
  #open = 0
  #starts = 0
  /** Deaths in a row. */
  #deaths = 0
  #lastCollect = 0
  /** Of the storage, as the first process under this index found it. */
  #durability: Durability | null = null
  /** Why it could not start, if it has said so. */
  #failure: string | null = null

  constructor(options: WorkerProcessOptions) {
    this.index = options.index
    this.#options = options
    this.#logger = options.logger.child({ worker: options.index })
    this.#handoffs = new Handoffs({
      ask: (id) => this.#send({ type: 'reach', id }),
      onRefused: (handoff) => {
        handoff.refusedBy.add(this.index)
        options.onRefused(handoff)
      },
    })
    this.#heartbeat = new Heartbeat({
      clock: options.clock,
      // Also the way to learn that a connection was lost on the way.
      ask: () => this.#send({ type: 'reach', id: this.#handoffs.lastId }),
      onChange: (pulse) => this.#pulseChanged(pulse),
      onSilent: options.onSilent,
    })
  }

  get load(): number {
    return this.#open + this.#handoffs.size
  }

  /** Also while the whole server stops: it then says so to whoever asks. */
  get takesConnections(): boolean {
    return this.#state.name === 'serving' || this.#state.name === 'stopping'
  }

  /** False when it has said nothing for so long that it seems to hang. */
  get answers(): boolean {
    return this.#heartbeat.answers
  }

  /** Processes started under this index so far. */
  get starts(): number {
    return this.#starts
  }

  /** Starts it for the first time; rejects when it dies before it can serve anybody. */
  async start(): Promise<{ readonly durability: Durability }> {
    this.#launch()
    await this.#until(() => this.#state.name !== 'starting')
    if (this.#durability !== null) return { durability: this.#durability }
    throw new Error(this.#failure ?? `worker ${this.index} could not start`)
  }

  hand(handoff: Handoff): void {
    if (!('child' in this.#state)) throw new Error(`worker ${this.index} takes no connections`)
    this.#handoffs.send(this.#state.child, handoff)
  }

  /** Takes back the connections it has not taken. */
  withdraw(): Withdrawn {
    return this.#handoffs.withdraw()
  }

  /** Its metrics; null when it has none to tell. */
  async collect(): Promise<string | null> {
    if (this.#state.name !== 'serving') return null
    this.#lastCollect += 1
    const id = this.#lastCollect
    let cancel = (): void => {}
    const text = await new Promise<string | null>((resolve) => {
      this.#collecting.set(id, resolve)
      cancel = this.#options.clock.after(COLLECT_TIMEOUT_MS, () => resolve(null))
      this.#send({ type: 'collect', id })
    })
    cancel()
    this.#collecting.delete(id)
    return text
  }

  /** Has it store everything and end; resolves when it has ended: false when something could not be stored. */
  async stop(deadlineMs: number): Promise<boolean> {
    if (this.#state.name === 'waiting') {
      this.#state.cancel()
      this.#become({ name: 'stopped', code: 0 })
    } else if (this.#state.name !== 'stopped') {
      this.#send({ type: 'stop', deadlineMs })
      this.#become({ name: 'stopping', child: this.#state.child })
    }
    await this.#until(() => this.#state.name === 'stopped')
    return this.#state.name === 'stopped' && this.#state.code === 0
  }

  kill(): void {
    if (this.#state.name === 'waiting') this.#state.cancel()
    if ('child' in this.#state) this.#state.child.kill('SIGKILL')
  }

  #launch(): void {
    const { entry, index, options, onEngineSocket } = this.#options
    this.#starts += 1
    this.#open = 0
    const child = fork(entry, [WORKER_ARGUMENT], { stdio: ['ignore', 'inherit', 'inherit', 'ipc', 'pipe'] })
    this.#become({ name: 'starting', child })
    child.on('message', (message) => this.#receive(message as ToPrimary))
    // 'close' and not 'exit': by then all it has said has been heard, and all it has appended has been read.
    child.on('close', (code, signal) => this.#ended(code, signal))
    child.on('error', (error) => {
      this.#logger.error({ err: error }, 'a worker could not be reached')
      if (child.pid === undefined) this.#ended(null, null)
    })
    this.#send({ type: 'start', index, options, hosted: onEngineSocket !== null })
    const socket = child.stdio[ENGINE_DESCRIPTOR]
    if (!(socket instanceof Socket)) return
    // A process that is killed resets it, perhaps before the storage is open.
    socket.on('error', () => undefined)
    if (onEngineSocket === null) socket.destroy()
    else onEngineSocket(socket)
  }

  #receive(message: ToPrimary): void {
    this.#heartbeat.heard()
    switch (message.type) {
      case 'ready':
        return this.#ready(message.durability)
      case 'failed':
        this.#failure = message.reason
        if (this.#starts > 1) this.#logger.error({ reason: message.reason }, 'a worker could not start')
        return
      case 'leaving':
        return this.#leaving()
      case 'taken':
        this.#open = message.open
        return this.#handoffs.taken(message.id)
      case 'reached':
        return this.#handoffs.reached(message.id)
      case 'open':
        this.#open = message.open
        return
      case 'collected':
        return this.#collecting.get(message.id)?.(message.text)
      case 'scrape':
        return void this.#scrape()
    }
  }

  #ready(durability: Durability): void {
    if (this.#state.name !== 'starting') return
    const { child } = this.#state
    this.#durability = durability
    this.#become({ name: 'serving', child, since: this.#options.clock.now() })
    this.#heartbeat.start()
    const { pid } = child
    this.#logger[this.#starts > 1 ? 'info' : 'debug']({ pid }, 'a worker serves')
  }

  #leaving(): void {
    if (this.#state.name === 'serving') this.#become({ ...this.#state, name: 'leaving' })
  }

  #pulseChanged(pulse: Pulse): void {
    switch (pulse) {
      case 'answering':
        return this.#logger.info('a worker answers again')
      case 'silent':
        return this.#logger.warn('a worker does not answer: new connections go to others')
      case 'lost':
        this.#logger.error('a worker still does not answer: it is killed')
        return this.kill()
    }
  }

  async #scrape(): Promise<void> {
    this.#send({ type: 'scraped', text: await this.#options.onScrape() })
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#heartbeat.stop()
    for (const answer of this.#collecting.values()) answer(null)
    switch (this.#state.name) {
      case 'starting':
        if (this.#starts === 1) this.#become({ name: 'stopped', code })
        else this.#died({ code, signal })
        break
      case 'serving':
        this.#died({ code, signal })
        break
      case 'leaving':
        if (code === 0) this.#restart(0)
        else this.#died({ code, signal })
        break
      case 'stopping':
        this.#become({ name: 'stopped', code })
        break
      case 'waiting':
      case 'stopped':
    }
    // Only now: whoever gets them must not be this one.
    this.#handoffs.gone()
  }

  #died(how: { readonly code: number | null; readonly signal: NodeJS.Signals | null }): void {
    this.#logger.error(how, 'a worker died; it is started again')
    this.#restart(this.#delay())
  }

  /** Milliseconds. */
  #delay(): number {
    const steady = 'since' in this.#state && this.#options.clock.now() - this.#state.since > STEADY_MS
    this.#deaths = steady ? 1 : this.#deaths + 1
    return Math.min(FIRST_RESTART_MS * 2 ** (this.#deaths - 1), LAST_RESTART_MS)
  }

  #restart(delay: number): void {
    const cancel = this.#options.clock.after(delay, () => this.#launchAgain())
    this.#become({ name: 'waiting', cancel })
  }

  #launchAgain(): void {
    try {
      this.#launch()
    } catch (error) {
      // No memory for another process, for instance: the ones that run go on.
      this.#logger.error({ err: error }, 'a worker could not be started again; it is tried later')
      this.#restart(LAST_RESTART_MS)
    }
  }

  #send(message: ToWorker): void {
    if (!('child' in this.#state)) return
    // A channel that is closed already belongs to a process whose end we are about to hear of.
    this.#state.child.send(message, () => undefined)
  }

  #become(state: State): void {
    this.#state = state
    const watchers = this.#watchers
    this.#watchers = []
    for (const look of watchers) look()
  }

  async #until(check: () => boolean): Promise<void> {
    while (!check()) await new Promise<void>((resolve) => this.#watchers.push(resolve))
  }
}
