import { once } from 'node:events'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { HttpAppOptions } from './app.ts'
import { defaultTimeouts } from './timeouts.ts'

/** Connections the kernel may hold for us to accept: with Node's 511, a thousand reconnecting clients wait in seconds. */
const LISTEN_BACKLOG = 4096

/**
 * The HTTP server. WebSockets are taken from its 'upgrade' event; what answers requests is half of what this program
 * consists of, and is loaded when the first one comes: after a restart, editors that wait are let in before that.
 */
export class HttpListener {
  readonly server: Server
  readonly #options: HttpAppOptions
  #app: Promise<FastifyInstance> | null = null

  constructor(options: HttpAppOptions) {
    const { headersMs, requestMs, checkMs } = options.timeouts ?? defaultTimeouts
    this.#options = options
    this.server = createServer({
      headersTimeout: headersMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: checkMs,
    })
    this.server.on('request', (request, response) => void this.#answer(request, response))
  }

  /** Rejects with Node's error when it cannot: EADDRINUSE, EACCES … */
  async listen(address: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    this.server.listen({ ...address, backlog: LISTEN_BACKLOG })
    await once(this.server, 'listening')
    return this.server.address() as AddressInfo
  }

  /** Resolves when the last connection is gone; `now` does not wait for answers that are being written. */
  async close({ now = false }: { now?: boolean } = {}): Promise<void> {
    if (this.server.listening) {
      const closed = once(this.server, 'close')
      this.server.close()
      if (now) this.server.closeAllConnections()
      else this.server.closeIdleConnections()
      await closed
    }
    await (await this.#app)?.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
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
