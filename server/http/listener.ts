import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import type { HttpAppOptions } from './app.ts'
import { defaultTimeouts } from './timeouts.ts'

/** Connections the kernel may hold for us to accept: with Node's 511, a thousand reconnecting clients wait in seconds. */
export const LISTEN_BACKLOG = 4096

/**
 * The HTTP server. WebSockets are taken from its 'upgrade' event; what answers requests is half of what this program
 * consists of, and is loaded when the first one comes: after a restart, editors that wait are let in before that.
 */
export class HttpListener {
  readonly server: Server
  readonly #options: HttpAppOptions
  /** Connections that have not asked for anything yet: Node does not count them as idle, and would wait for them. */
  readonly #silent = new Set<Duplex>()
  #app: Promise<FastifyInstance> | null = null
  #adopts = false

  constructor(options: HttpAppOptions) {
    const { headersMs, requestMs, checkMs } = options.timeouts ?? defaultTimeouts
    this.#options = options
    this.server = createServer({
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
    })
    this.server.on('request', (request, response) => void this.#answer(request, response))
    this.#watch(this.#silent)
  }

  /** Rejects with Node's error when it cannot: EADDRINUSE, EACCES … */
  async listen(address: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    this.server.listen({ ...address, backlog: LISTEN_BACKLOG })
    await once(this.server, 'listening')
    return this.server.address() as AddressInfo
  }

  /** Serves a connection that another process has accepted, and has read `head` from. */
  adopt(socket: Socket, head: Buffer): void {
    // Node's HTTP server begins to watch its time limits when it listens, which this one never does.
    if (!this.#adopts) this.server.emit('listening')
    this.#adopts = true
    // A client may end its side when it has asked, as with connections this server accepts itself.
    socket.allowHalfOpen = true
    socket.unshift(head)
    this.server.emit('connection', socket)
  }

  /** Resolves when the last connection is gone; `now` does not wait for answers that are being written. */
  async close({ now = false }: { now?: boolean } = {}): Promise<void> {
    if (this.server.listening) {
      const closed = once(this.server, 'close')
      this.server.close()
      if (now) this.server.closeAllConnections()
      else this.#closeIdle()
      await closed
    } else this.#closeIdle()
    await (await this.#app)?.close()
  }

  /** One listener for all sockets, and none left on a WebSocket: there are many. */
  #watch(silent: Set<Duplex>): void {
    function forget(this: Duplex): void {
      silent.delete(this)
    }
    this.server.on('connection', (socket) => {
      silent.add(socket)
      socket.once('close', forget)
    })
    this.server.prependListener('upgrade', (_request, socket) => {
      silent.delete(socket)
      socket.off('close', forget)
    })
  }

  #closeIdle(): void {
    this.server.closeIdleConnections()
    for (const socket of this.#silent) socket.destroy()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#silent.delete(request.socket)
    try {
      this.#app ??= this.#load()
      ;(await this.#app).routing(request, response)
    } catch (error) {
      this.#options.logger.error({ err: error }, 'a request could not be answered')
      response.writeHead(500).end()
    }
  }

  async #load(): Promise<FastifyInstance> {
    const { createHttpApp } = await import('./app.ts')
    const app = createHttpApp(this.#options)
    await app.ready()
    return app
  }
}
