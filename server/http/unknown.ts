import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Logger } from 'pino'

/** Paths that are never documents for a browser: icons and crawlers ask for them, the demo's build owns the first. */
const notDocuments = /^\/(?:assets\/|favicon\.ico$|robots\.txt$|\.well-known\/)/

/**
 * Any path may name a document, and documents are reached by WebSocket: a plain GET of one is answered 426. The rest is
 * 404 or whatever the framework found wrong with the request, in one shape.
 */
export function answerUnknown(app: FastifyInstance, logger: Logger): void {
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    if (isRead(request) && !notDocuments.test(path)) return upgradeRequired(reply)
    return notFound(reply)
  })
  app.setErrorHandler((error: unknown, _request, reply) => {
    const status = statusOf(error)
    if (status < 500 && error instanceof Error) {
      return reply.code(status).send({ error: 'BAD_REQUEST', message: error.message })
    }
    logger.error({ err: error }, 'a request failed')
    return reply.code(status).send({ error: 'INTERNAL', message: 'The server failed to answer.' })
  })
}

export function notFound(reply: FastifyReply): FastifyReply {
  return reply.code(404).send({ error: 'NOT_FOUND', message: 'There is nothing at this address.' })
}

function isRead(request: FastifyRequest): boolean {
  return request.method === 'GET' || request.method === 'HEAD'
}

function upgradeRequired(reply: FastifyReply): FastifyReply {
  return reply.code(426).header('upgrade', 'websocket').header('connection', 'upgrade').send({
    error: 'UPGRADE_REQUIRED',
    message: 'Documents are reached by WebSocket: connect an editor to this address.',
  })
}

function statusOf(error: unknown): number {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' && status >= 400 ? status : 500
}
