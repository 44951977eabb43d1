import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** One TCP connection through the proxy, as its two halves. */
interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

/** A network between clients and a server on this machine, which can lose connections without either end noticing. */
export class Proxy {
  readonly #server: Server
  readonly #target: number
  readonly #pairs = new Set<Pair>()

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    server.on('connection', (client) => this.#open(client))
  }

  /** Forwards to `target`, a port of this machine. */
  static async start(target: number): Promise<Proxy> {
    const server = createServer()
    const proxy = new Proxy(server, target)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get url(): string {
    return `ws://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`
  }

  /** The connections that exist now go silent: nothing is forwarded any more, no end, no reset. New ones work. */
  goSilent(): void {
    for (const { client, upstream } of this.#pairs) {
      for (const socket of [client, upstream]) {
        socket.removeAllListeners('data')
        socket.removeAllListeners('close')
        socket.resume() // what arrives is taken and lost, as on a path that drops packets behind a buffer
      }
    }
  }

  dispose(): void {
    this.#server.close()
    for (const { client, upstream } of this.#pairs) {
      client.destroy()
      upstream.destroy()
    }
  }

  #open(client: Socket): void {
    // Half-open allowed on neither side: what one end closes is closed at the other, unless it went silent.
    const upstream = connect({ port: this.#target, host: '127.0.0.1' })
    this.#pairs.add({ client, upstream })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => undefined) // 'close' follows
      from.on('data', (chunk) => to.write(chunk))
      from.on('close', () => to.destroy())
    }
  }
}
