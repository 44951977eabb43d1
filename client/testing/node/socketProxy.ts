import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { Clock } from '../clock.ts'
import { Random } from '../random.ts'
import { ProxiedConnection } from './proxiedConnection.ts'
import type { Silence } from './proxiedConnection.ts'
import { changeProxyConditions, perfectProxyConditions } from './proxyConditions.ts'
import type { ProxyConditions } from './proxyConditions.ts'
import { systemClock } from './systemClock.ts'

export interface SocketProxyOptions {
  /** Decides jitter and losses. Default 1. Sockets are real, so the same seed gives similar histories, not the same. */
  readonly seed?: number
  readonly conditions?: Partial<ProxyConditions>
  /** Default 127.0.0.1. */
  readonly targetHost?: string
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * A bad network made of real TCP sockets, between clients and a server: it delays, throttles, splits, loses connections and
 * leaves them half-open. Node only.
 */
export class SocketProxy {
  readonly #server: Server
  readonly #target: { readonly port: number; readonly host: string }
  readonly #clock: Clock
  readonly #random: Random
  readonly #connections = new Set<ProxiedConnection>()
  #conditions: ProxyConditions
  #accepted = 0
  /** Whether connections are accepted; when false they are reset. */
  isAccepting = true

  private constructor(server: Server, port: number, options: SocketProxyOptions) {
    this.#server = server
    this.#target = { port, host: options.targetHost ?? '127.0.0.1' }
    this.#clock = options.clock ?? systemClock
    this.#random = new Random(options.seed ?? 1)
    this.#conditions = changeProxyConditions(perfectProxyConditions, options.conditions)
    server.on('connection', (client) => this.#open(client))
  }

  /**
   * Listens on a free port of 127.0.0.1 and forwards to `targetPort`.
   *
   * @throws RangeError that names an impossible condition
   */
  static async start(targetPort: number, options: SocketProxyOptions = {}): Promise<SocketProxy> {
    const server = createServer({ allowHalfOpen: true })
    const proxy = new SocketProxy(server, targetPort, options)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** `ws://127.0.0.1:<port>`, without a slash at the end. */
  get url(): string {
    return `ws://127.0.0.1:${String(this.port)}`
  }

  get conditions(): ProxyConditions {
    return this.#conditions
  }

  /** Connections that exist, silent ones included. */
  get connections(): number {
    return this.#connections.size
  }

  /** Connections accepted so far. */
  get accepted(): number {
    return this.#accepted
  }

  /**
   * Changes what is named and leaves the rest.
   *
   * @throws RangeError that names an impossible condition
   */
  change(conditions: Partial<ProxyConditions>): void {
    this.#conditions = changeProxyConditions(this.#conditions, conditions)
  }

  /** All connections end now, by a reset; what is under way is lost. New ones work unless `isAccepting` is false. */
  cut(): void {
    for (const connection of this.#connections) connection.cut()
  }

  /**
   * Half-open: the connections that exist now carry nothing any more in these directions, no end, no reset; what is sent is
   * taken and lost, as on a path that drops packets behind a buffer. New ones work.
   *
   * @param silence `up`: what clients send is lost; `down`: what the server sends; default: both
   */
  goSilent(silence: Silence = 'both'): void {
    for (const connection of this.#connections) connection.goSilent(silence)
  }

  /** Ends everything and stops listening. Resolves when the port is free. */
  async close(): Promise<void> {
    this.cut()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #open(client: Socket): void {
    if (!this.isAccepting) {
      client.resetAndDestroy()
      return
    }
    this.#accepted += 1
    const upstream = connect({ ...this.#target, allowHalfOpen: true })
    const connection = new ProxiedConnection(client, upstream, {
      clock: this.#clock,
      random: this.#random,
      conditions: () => this.#conditions,
      onGone: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
  }
}
