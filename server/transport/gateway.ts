import type { IncomingMessage, Server } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Server as WebSocketServerOf } from 'ws'
import { WebSocketServer } from 'ws'
import { CloseCode } from '../../shared/closeCodes.ts'
import { InvalidNameError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import { nameFromUrl } from '../../shared/names.ts'
import { wantsHello } from '../../shared/wire/hello.ts'
import type { Clock } from '../clock.ts'
import type { Registry } from '../document/registry.ts'
import type { Observer } from '../observer.ts'
import { ClientSocket } from './clientSocket.ts'
import { Connection } from './connection.ts'
import type { ConnectionContext, ConnectionOrigin } from './connection.ts'
import { Flusher } from './flusher.ts'
import type { Traffic } from './outbox.ts'

/** Milliseconds between two looks at every connection. */
const TICK_MS = 1_000
/** A tick that comes this late (milliseconds) says that we stood still, not that the clients did. */
const STALL_MS = 3 * TICK_MS
/** Milliseconds between two waves of closing, so that 10,000 clients do not all come back in the same instant. */
const WAVE_MS = 50
const MAX_WAVES = 40
/** Connections closed at once in any case. */
const MIN_WAVE = 100
/** Milliseconds a client has to answer our close frame. */
const CLOSE_TIMEOUT_MS = 3_000
/** Seconds after which a refused client should try again. */
const RETRY_AFTER_SECONDS = 5

export interface GatewayOptions {
  readonly registry: Registry
  readonly clock: Clock
  readonly limits: Limits
  readonly observer: Observer
  /** Whether what is stored survives the end of this process; false while storage is still being opened. */
  readonly isDurable: () => boolean
}

/** Where sockets come in: upgrades, the set of open connections, their heartbeat, and their end. */
export class Gateway {
  readonly traffic: Traffic = { framesIn: 0, bytesIn: 0, writes: 0, bytesOut: 0 }
  readonly #options: GatewayOptions
  readonly #context: ConnectionContext
  readonly #webSockets: WebSocketServerOf<typeof ClientSocket>
  readonly #connections = new Set<Connection>()
  #draining = false
  #cancelTick: () => void

  constructor(options: GatewayOptions) {
    const { clock, limits } = options
    this.#options = options
    this.#context = {
      ...options,
      flusher: new Flusher(() => clock.now()),
      traffic: this.traffic,
      onGone: (connection) => this.#connections.delete(connection),
      now: clock.now(),
    }
    const newerThanItsTypes = { closeTimeout: CLOSE_TIMEOUT_MS }
    this.#webSockets = new WebSocketServer({
      ...newerThanItsTypes,
      WebSocket: ClientSocket,
      noServer: true,
      clientTracking: false,
      // Updates are compact already, and one compressor per socket costs more memory than everything else about it.
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: limits.maxMessageBytes,
      maxFragments: limits.maxMessageFragments,
      maxBufferedChunks: limits.maxBufferedChunks,
    })
    this.#cancelTick = clock.after(TICK_MS, this.#tick)
  }

  get size(): number {
    return this.#connections.size
  }

  get isDraining(): boolean {
    return this.#draining
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.handleUpgrade(request, socket, head))
  }

  /** Takes a request over as a WebSocket, or answers it with an HTTP error. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', ignoreReset)
    const remote = request.socket.remoteAddress ?? 'unknown'
    if (this.#draining) return this.#refuse(socket, 503, 'shutting down', remote)
    if (this.#connections.size >= this.#options.limits.maxConnections) {
      return this.#refuse(socket, 503, 'too many connections', remote)
    }
    try {
      const url = request.url ?? '/'
      const about = { name: nameFromUrl(url), remote, wantsHello: wantsHello(url) }
      this.#webSockets.handleUpgrade(request, socket, head, (ws) => this.#accept(ws, socket, about))
    } catch (error) {
      if (!(error instanceof InvalidNameError)) throw error
      this.#refuse(socket, 400, error.message, remote)
    }
  }

  /** Takes no further connections; those that are open go on. */
  drain(): void {
    this.#draining = true
  }

  /** Closes every connection with 1012 (restarting), in waves; resolves when the last one is gone. */
  async close(): Promise<void> {
    this.drain()
    const wave = Math.max(MIN_WAVE, Math.ceil(this.#connections.size / MAX_WAVES))
    const connections = [...this.#connections]
    for (let start = 0; start < connections.length; start += wave) {
      if (start > 0) await new Promise<void>((resolve) => void this.#options.clock.after(WAVE_MS, resolve))
      for (const connection of connections.slice(start, start + wave)) {
        connection.close(CloseCode.restarting, 'server is restarting')
      }
    }
    await Promise.all(connections.map((connection) => connection.closed))
    this.#cancelTick()
  }

  /** Ends every connection at once. */
  terminate(): void {
    this.#cancelTick()
    for (const connection of this.#connections) connection.terminate()
  }

  #accept(ws: ClientSocket, socket: Duplex, about: ConnectionOrigin): void {
    const connection = new Connection(this.#context, ws, socket, about)
    this.#connections.add(connection)
  }

  #refuse(socket: Duplex, status: number, reason: string, remote: string): void {
    this.#options.observer.observe({ type: 'refused', status, reason, remote })
    const retry = status === 503 ? `Retry-After: ${RETRY_AFTER_SECONDS}\r\n` : ''
    const body = `${reason}\n`
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${retry}Connection: close\r\n` +
        `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  }

  readonly #tick = (): void => {
    const { clock, registry } = this.#options
    const now = clock.now()
    const stalled = now - this.#context.now > STALL_MS
    this.#context.now = now
    this.#cancelTick = clock.after(TICK_MS, this.#tick)
    // After a stall of ours, signs of life are still unread in the sockets: judge nobody before they have been.
    if (stalled) return
    for (const connection of this.#connections) connection.tick(now)
    registry.sweep(now)
  }
}

/** Resets before and after the upgrade are everyday; 'close' follows and does the work. */
function ignoreReset(): void {
  // Deliberately nothing.
}
