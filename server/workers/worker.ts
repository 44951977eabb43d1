import { once } from 'node:events'
import { Socket } from 'node:net'
import { toError } from '../../shared/errors.ts'
import { systemClock } from '../clock.ts'
import { openHostedEngine } from '../engine/host/hostedEngine.ts'
import { createLogger, standardOutput } from '../log.ts'
import type { Logger } from '../log.ts'
import { createWorkerServer } from '../server.ts'
import type { WorkerServer } from '../server.ts'
import { ENGINE_DESCRIPTOR, INCOMPLETE_EXIT_CODE } from './messages.ts'
import type { ToPrimary, ToWorker } from './messages.ts'

type Start = Extract<ToWorker, { type: 'start' }>
type Connection = Extract<ToWorker, { type: 'connection' }>

/** Milliseconds between two reports of how many connections there are, when some have gone. */
const REPORT_MS = 250
/** Milliseconds a worker that leaves by itself gives the server beyond its deadline before it goes anyway. */
const GRACE_MS = 500

/** This process as one of several workers; the primary, which started it, tells it everything else. */
export async function runWorker(): Promise<void> {
  // Without a primary nobody comes, and nothing can be stored.
  process.on('disconnect', () => process.exit(1))
  const [first] = (await once(process, 'message')) as [ToWorker]
  if (first.type !== 'start') throw new Error(`a worker is started first, not told to ${first.type}`)
  const worker = new Worker(first)
  await worker.start()
}

type Phase = { readonly name: 'serving' } | { readonly name: 'closing' }

class Worker {
  readonly #drainMs: number
  readonly #logger: Logger
  readonly #server: WorkerServer
  #phase: Phase = { name: 'serving' }
  #ownMetrics: (() => Promise<string>) | null = null
  #scrape: { readonly text: Promise<string>; readonly answer: (text: string) => void } | null = null
  #open = 0
  #reporting = false

  constructor({ index, options, hosted }: Start) {
    this.#drainMs = options.drainSeconds * 900
    this.#logger = createLogger(options, standardOutput()).child({ worker: index })
    this.#server = createWorkerServer(
      { ...options, workers: 1, logger: this.#logger, processMetrics: true },
      {
        engine: hosted ? ({ onHealth }) => openHostedEngine({ ...hostedSocket(), onHealth }) : null,
        completeMetrics: (own) => {
          this.#ownMetrics = own
          return () => this.#allMetrics()
        },
      },
    )
  }

  async start(): Promise<void> {
    this.#supervise()
    try {
      await this.#server.ready()
    } catch (error) {
      return tell({ type: 'failed', reason: toError(error).message }, () => process.exit(1))
    }
    tell({ type: 'ready', durability: this.#server.durability })
  }

  #supervise(): void {
    process.on('message', (message, socket) => this.#receive(message as ToWorker, socket))
    process.on('SIGTERM', () => this.#leave(0))
    // A terminal sends it to all processes; the primary decides what it means.
    process.on('SIGINT', () => undefined)
    process.on('uncaughtException', (error) => this.#crash(error))
    process.on('unhandledRejection', (reason) => this.#crash(reason))
  }

  #receive(message: ToWorker, socket: unknown): void {
    switch (message.type) {
      case 'connection':
        if (socket instanceof Socket) this.#adopt(message, socket)
        return
      case 'reach':
        return tell({ type: 'reached', id: message.id })
      case 'stop':
        return this.#close(message.deadlineMs, 0)
      case 'collect':
        return void this.#collect(message.id)
      case 'scraped':
        this.#scrape?.answer(message.text)
        this.#scrape = null
        return
      case 'start':
    }
  }

  #adopt({ id, head, isAnswered }: Connection, socket: Socket): void {
    this.#open += 1
    tell({ type: 'taken', id, open: this.#open })
    socket.on('close', this.#onClose)
    if (isAnswered) dropNextWrite(socket)
    this.#server.adopt(socket, Buffer.from(head, 'latin1'))
  }

  /** One function for all sockets: a closure each would be paid by every idle connection. */
  readonly #onClose = (): void => {
    this.#open -= 1
    if (this.#reporting) return
    this.#reporting = true
    systemClock.after(REPORT_MS, () => {
      this.#reporting = false
      tell({ type: 'open', open: this.#open })
    })
  }

  async #collect(id: number): Promise<void> {
    const text = (await this.#ownMetrics?.()) ?? ''
    tell({ type: 'collected', id, text })
  }

  /** Whoever asks while an answer is under way gets that one. */
  #allMetrics(): Promise<string> {
    if (this.#scrape !== null) return this.#scrape.text
    let answer = (_text: string): void => {}
    const text = new Promise<string>((resolve) => (answer = resolve))
    this.#scrape = { text, answer }
    tell({ type: 'scrape' })
    return text
  }

  /** Told to end by somebody who means this process alone: the primary will start another one. */
  #leave(code: number): void {
    tell({ type: 'leaving' })
    this.#close(this.#drainMs, code)
  }

  #crash(error: unknown): void {
    this.#logger.fatal({ err: error }, 'unexpected error: stopping')
    this.#leave(1)
  }

  #close(deadlineMs: number, code: number): void {
    if (this.#phase.name === 'closing') return
    this.#phase = { name: 'closing' }
    systemClock.after(deadlineMs + GRACE_MS, () => process.exit(INCOMPLETE_EXIT_CODE))
    this.#server.close({ deadlineMs }).then(
      () => process.exit(code),
      (error: unknown) => {
        this.#logger.error({ err: error }, 'not everything could be stored')
        process.exit(INCOMPLETE_EXIT_CODE)
      },
    )
  }
}

function hostedSocket(): { readonly socket: Socket; readonly onLost: () => void } {
  return { socket: new Socket({ fd: ENGINE_DESCRIPTOR }), onLost: () => process.exit(1) }
}

/** The primary has answered the handshake, to see the first frame; the same answer comes again from here. */
function dropNextWrite(socket: Socket): void {
  socket.write = () => {
    Reflect.deleteProperty(socket, 'write')
    return true
  }
}

/** @param then when it has been sent, or cannot be: then 'disconnect' has come or is about to */
function tell(message: ToPrimary, then: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, then)
}
