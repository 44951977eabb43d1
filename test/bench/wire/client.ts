import type { Recorder } from '../measure/recorder.ts'
import type { Dialect, MessageKind } from './dialect.ts'
import { clientFrame } from './frames.ts'
import { RawSocket } from './rawSocket.ts'

const EMPTY_STATE_VECTOR = Uint8Array.of(0)
const EMPTY_UPDATE = Uint8Array.of(0, 0)
const PONG = clientFrame(Uint8Array.of(10))

export interface ClientOptions {
  readonly port: number
  readonly dialect: Dialect
  readonly document: string
  /** Where messages go, and under which number; nothing is kept without it. */
  readonly recorder?: Recorder
  readonly number?: number
  /** The state vector of the first SyncStep1; default: knows nothing. */
  readonly stateVector?: Uint8Array
  /** Given every update and SyncStep2; the bytes are only valid during the call. */
  readonly onUpdate?: (update: Uint8Array) => void
  /** The update that answers the server's SyncStep1; default: has nothing to give. */
  readonly answer?: (stateVector: Uint8Array) => Uint8Array
}

/** One person, as far as the wire can tell: connects, syncs, answers what a provider answers, sends what it is told to. */
export class Client {
  readonly options: ClientOptions
  private readonly raw: RawSocket
  private readonly waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  /** Messages received, by kind. */
  readonly counts: Record<MessageKind, number> = {
    step1: 0,
    step2: 0,
    update: 0,
    awareness: 0,
    ack: 0,
    echo: 0,
    ping: 0,
    other: 0,
  }
  /** When the first SyncStep2 arrived. */
  syncedAt: number | null = null
  /** When the last message of each kind arrived. */
  readonly lastAt: Partial<Record<MessageKind, number>> = {}
  /** Why the socket is closed; null while it is not. */
  closedBy: string | null = null
  /** Called once, when `closedBy` is set. */
  onClosed: (() => void) | null = null

  constructor(options: ClientOptions) {
    this.options = options
    this.raw = new RawSocket(options.port, options.dialect.path(options.document), {
      open: () => {
        this.greet()
      },
      message: (source, start, end, time) => {
        options.recorder?.add(options.number ?? 0, time, source, { start, end })
        try {
          this.receive(source.subarray(start, end), time)
        } catch (error) {
          // A real client would not survive it either: the connection counts as lost, and the scenario says so.
          this.raw.end(`undecodable message: ${String(error)}`)
        }
      },
      closed: (reason) => {
        this.closedBy = reason
        for (const one of this.waiting.splice(0)) one.reject(new Error(`connection lost: ${reason}`))
        this.onClosed?.()
      },
    })
  }

  get bytesReceived(): number {
    return this.raw.bytesReceived
  }

  /** Resolves at the first SyncStep2; rejects when the connection ends before. */
  synced(): Promise<void> {
    if (this.syncedAt !== null) return Promise.resolve()
    if (this.closedBy !== null) return Promise.reject(new Error(`connection lost: ${this.closedBy}`))
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject })
    })
  }

  /** A ready-made frame with one Update message. */
  updateFrame(update: Uint8Array): Buffer {
    return clientFrame(this.options.dialect.sync(this.options.document, 2, update))
  }

  awarenessFrame(update: Uint8Array): Buffer {
    return clientFrame(this.options.dialect.awareness(this.options.document, update))
  }

  send(...frames: readonly Buffer[]): boolean {
    return this.raw.write(...frames)
  }

  drained(): Promise<void> {
    return this.raw.drained()
  }

  requestState(stateVector: Uint8Array = EMPTY_STATE_VECTOR): void {
    this.send(clientFrame(this.options.dialect.sync(this.options.document, 0, stateVector)))
  }

  pause(): void {
    this.raw.pause()
  }

  resume(): void {
    this.raw.resume()
  }

  close(): void {
    this.raw.close()
  }

  private greet(): void {
    const { dialect, document, stateVector } = this.options
    const frames = dialect.greeting(document).map((payload) => clientFrame(payload))
    this.send(...frames, clientFrame(dialect.sync(document, 0, stateVector ?? EMPTY_STATE_VECTOR)))
  }

  private receive(bytes: Buffer, time: number): void {
    const { kind, payload } = this.options.dialect.read(bytes)
    this.counts[kind]++
    this.lastAt[kind] = time
    if (kind === 'step2' || kind === 'update') this.options.onUpdate?.(payload)
    if (kind === 'step1') this.answerStep1(payload)
    else if (kind === 'step2') this.sync(time)
    else if (kind === 'ping') this.send(PONG)
  }

  private sync(time: number): void {
    this.syncedAt ??= time
    for (const one of this.waiting.splice(0)) one.resolve()
  }

  private answerStep1(stateVector: Uint8Array): void {
    const { dialect, document, answer } = this.options
    const update = answer?.(stateVector) ?? EMPTY_UPDATE
    this.send(clientFrame(dialect.sync(document, 1, update)))
  }
}

/** Connects clients, at most `atOnce` handshakes in flight, and waits until all are synced. */
export async function connectAll(options: readonly ClientOptions[], atOnce = 64): Promise<Client[]> {
  const clients: Client[] = []
  for (let from = 0; from < options.length; from += atOnce) {
    const batch = options.slice(from, from + atOnce).map((one) => new Client(one))
    clients.push(...batch)
    await Promise.all(batch.map((client) => client.synced()))
  }
  return clients
}

export function closeAll(clients: readonly Client[]): void {
  for (const client of clients) client.close()
}
