import type { FastifyInstance } from 'fastify'

/** Why the server must not get new clients just now. */
export type NotReadyReason = 'opening' | 'draining' | 'storage failing'

export interface Health {
  /** Every reason that holds at this moment; none: ready. */
  readonly reasons: () => readonly NotReadyReason[]
}

/**
 * `/healthz`: the process is alive, restart it when this fails. `/readyz` (also `/ready`, as y-sweet calls it): 200 when
 * clients may be sent here, else 503 with the reasons. A failing disk is no reason to restart a process that holds
 * edits it has not stored yet, so only readiness reports it.
 */
export function healthRoutes(app: FastifyInstance, health: Health): void {
  app.get('/healthz', async (_request, reply) => reply.header('cache-control', 'no-store').send({ status: 'ok' }))
  for (const path of ['/readyz', '/ready']) {
    app.get(path, async (_request, reply) => {
      const reasons = health.reasons()
      const ready = reasons.length === 0
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ status: ready ? 'ready' : 'not ready', reasons })
    })
  }
}
