import fastify from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { demoRoutes, introductionRoute, isBuilt } from './demo.ts'
import type { Health } from './health.ts'
import { healthRoutes } from './health.ts'
import { defaultTimeouts } from './timeouts.ts'
import type { HttpTimeouts } from './timeouts.ts'
import { answerUnknown, notFound } from './unknown.ts'

/** What `/metrics` shows. */
interface MetricsText {
  readonly contentType: string
  text(): Promise<string>
}

export interface HttpAppOptions {
  readonly logger: Logger
  /** null: `/metrics` answers 404. */
  readonly metrics: MetricsText | null
  readonly health: Health
  /** Where the built demo editor is; null, or a directory without `index.html`: a page of text instead. */
  readonly demoDirectory: string | null
  readonly version: string
  readonly timeouts?: HttpTimeouts
}

/** No route takes a body yet; this bounds the ones that are sent anyway. */
const maxBodyBytes = 16 * 1024

/** Everything on the port that is not a WebSocket. Listens on nothing by itself; `app.routing` answers a request. */
export function createHttpApp(options: HttpAppOptions): FastifyInstance {
  const timeouts = options.timeouts ?? defaultTimeouts
  const app = fastify({
    logger: false,
    bodyLimit: maxBodyBytes,
    requestTimeout: timeouts.requestMs,
    // Sockets that were upgraded are not HTTP's any more; of the others only the idle ones may be cut on close.
    forceCloseConnections: 'idle',
    http: { headersTimeout: timeouts.headersMs, connectionsCheckingInterval: timeouts.checkMs },
  })
  logRequests(app, options.logger)
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'no-referrer')
  })
  answerUnknown(app, options.logger)
  healthRoutes(app, options.health)
  app.get('/version', () => ({ name: 'scriptorium', version: options.version }))
  metricsRoute(app, options.metrics)
  if (options.demoDirectory !== null && isBuilt(options.demoDirectory)) demoRoutes(app, options.demoDirectory)
  else introductionRoute(app, options.version)
  return app
}

/** At debug level, and never with the query string: that is where clients put tokens (C56). */
function logRequests(app: FastifyInstance, logger: Logger): void {
  app.addHook('onResponse', async (request, reply) => {
    const milliseconds = Math.round(reply.elapsedTime)
    const path = request.url.split('?', 1)[0]
    logger.debug({ method: request.method, path, status: reply.statusCode, milliseconds }, 'answered a request')
  })
}

function metricsRoute(app: FastifyInstance, metrics: MetricsText | null): void {
  app.get('/metrics', async (_request, reply) => {
    if (metrics === null) return notFound(reply)
    const text = await metrics.text()
    return reply.type(metrics.contentType).header('cache-control', 'no-store').send(text)
  })
}
