import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

/** A way to a server of this machine on which answers can be lost although what was asked for is done. */
export class LossyProxy {
  readonly #server: Server
  readonly #target: number
  readonly #sockets = new Set<Socket>()
  #loseAnswersTo: string | null = null
  #lost = 0

  private constructor(server: Server, target: number) {
    this.#server = server
    this.#target = target
    server.on('connection', (client) => this.#open(client))
  }

  static async start(target: number): Promise<LossyProxy> {
    const server = createServer()
    const proxy = new LossyProxy(server, target)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Answers lost so far. */
  get lost(): number {
    return this.#lost
  }

  /** The next request with this text in it is carried out; then its connection ends instead of the answer. */
  loseAnswerTo(text: string): void {
    this.#loseAnswersTo = text
  }

  /** The connections that exist now go silent: nothing is forwarded any more, no end, no reset. New ones work. */
  goSilent(): void {
    for (const socket of this.#sockets) {
      socket.removeAllListeners('data')
      socket.removeAllListeners('close')
      socket.resume()
    }
  }

  dispose(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #open(client: Socket): void {
    const upstream = connect({ port: this.#target, host: '127.0.0.1' })
    let losing = false
    client.on('data', (chunk) => {
      if (this.#loseAnswersTo !== null && chunk.includes(this.#loseAnswersTo)) {
        this.#loseAnswersTo = null
        losing = true
      }
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      // Servers answer when they are done: PostgreSQL has committed then, a store has stored.
      if (!losing) client.write(chunk)
      else client.destroy()
      if (losing) this.#lost += 1
    })
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined) // 'close' follows
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
  }
}
