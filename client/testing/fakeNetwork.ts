import type { Clock } from './clock.ts'
import { changeConditions, perfectConditions } from './conditions.ts'
import type { NetworkConditions } from './conditions.ts'
import { DelayLine } from './delayLine.ts'
import { FakeSocket } from './fakeSocket.ts'
import { LinkPair } from './linkPair.ts'
import type { LinkEnd } from './linkPair.ts'
import { Random } from './random.ts'

/** Whoever answers on the other side of a network: a `FakeServer`, or something of yours. */
export interface Acceptor {
  /** Somebody has opened `url`; `end` is the acceptor's end of the link. Its `listener` has to be set in this call. */
  accept(end: LinkEnd, url: URL): void
}

/**
 * What happens to attempts to connect. `up`: they succeed; `refusing`: they fail, as when no server runs; `silent`: they
 * are never answered, as behind a firewall or on a dead mobile network.
 */
export type Reachability = 'up' | 'refusing' | 'silent'

export interface FakeNetworkOptions {
  readonly clock: Clock
  readonly server: Acceptor
  /** Decides jitter and losses. Default 1. */
  readonly seed?: number
  /** Default: a perfect network. */
  readonly conditions?: Partial<NetworkConditions>
}

/**
 * The network between one device and its server, in memory: `WebSocket` is a class for any provider, and everything that
 * networks do happens when the test says so, or by the seed. Several devices on one server have a network each.
 */
export class FakeNetwork {
  /** To be given to a provider as `WebSocketPolyfill`. */
  readonly WebSocket: typeof WebSocket
  reachability: Reachability = 'up'
  readonly #clock: Clock
  readonly #server: Acceptor
  readonly #random: Random
  readonly #links = new Set<LinkPair>()
  readonly #attempts = new Map<FakeSocket, DelayLine>()
  #conditions: NetworkConditions
  #opened = 0

  constructor({ clock, server, seed = 1, conditions }: FakeNetworkOptions) {
    this.#clock = clock
    this.#server = server
    this.#random = new Random(seed)
    this.#conditions = changeConditions(perfectConditions, conditions)
    const connect = (socket: FakeSocket): void => this.#connect(socket)
    const abandon = (socket: FakeSocket): void => this.#abandon(socket)
    this.WebSocket = class extends FakeSocket {
      constructor(url: string | URL, protocols: string | string[] = []) {
        super(String(url), typeof protocols === 'string' ? [protocols] : protocols, abandon)
        connect(this)
      }
    }
  }

  get conditions(): NetworkConditions {
    return this.#conditions
  }

  /** How many sockets have been opened so far: 1 after the first connection, 2 after one reconnection. */
  get opened(): number {
    return this.#opened
  }

  /** Links that exist, also those that have gone silent and were left by only one side. */
  get links(): number {
    this.#forget()
    return this.#links.size
  }

  /**
   * Changes what is named and leaves the rest.
   *
   * @throws RangeError that names an impossible condition
   */
  change(conditions: Partial<NetworkConditions>): void {
    this.#conditions = changeConditions(this.#conditions, conditions)
  }

  /** All connections end now, as by a reset, and attempts to connect fail. New ones work, unless `reachability` says no. */
  cut(): void {
    for (const link of this.#links) link.cut()
    this.#links.clear()
    for (const socket of this.#attempts.keys()) this.#failSoon(socket)
  }

  /** Half-open: existing connections carry nothing any more, and neither side is told. New ones work. */
  goSilent(): void {
    for (const link of this.#links) link.goSilent()
    for (const line of this.#attempts.values()) line.clear()
  }

  #line(): DelayLine {
    return new DelayLine({ clock: this.#clock, random: this.#random, conditions: () => this.#conditions })
  }

  /** One round trip: the request travels, the server accepts, its answer travels. */
  #connect(socket: FakeSocket): void {
    const line = this.#line()
    this.#attempts.set(socket, line)
    if (this.reachability === 'silent') return
    line.push(0, () => {
      if (this.reachability === 'up') this.#accept(socket)
      else line.push(0, () => this.#fail(socket))
    })
  }

  #accept(socket: FakeSocket): void {
    this.#forget()
    const link = new LinkPair({ clock: this.#clock, random: this.#random, conditions: () => this.#conditions })
    const [near, far] = link.ends
    this.#links.add(link)
    link.answerHandshake(() => {
      if (!this.#attempts.delete(socket)) return near.close()
      this.#opened += 1
      socket.open(near)
    })
    this.#server.accept(far, new URL(socket.url))
  }

  #failSoon(socket: FakeSocket): void {
    const line = this.#attempts.get(socket)
    line?.clear()
    line?.push(0, () => this.#fail(socket))
  }

  #fail(socket: FakeSocket): void {
    this.#attempts.delete(socket)
    socket.fail()
  }

  /** A socket closed while connecting hears an error at once, as in browsers. */
  #abandon(socket: FakeSocket): void {
    this.#attempts.get(socket)?.clear()
    this.#attempts.delete(socket)
    this.#clock.after(0, () => socket.fail())
  }

  #forget(): void {
    for (const link of this.#links) if (link.fate === 'gone') this.#links.delete(link)
  }
}
