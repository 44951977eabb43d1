import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

/**
 * Nothing inline, nothing from elsewhere: not even styles, so what others write into a document cannot paint over the page.
 * Pictures may stand in a document as data; the page opens WebSockets to this server only ('self' covers them), and only
 * pages of this origin may frame it, as the demo does for its side-by-side view.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "frame-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ')

const oneYear = 'public, max-age=31536000, immutable'

/** Serves the built demo at `/`. */
export function demoRoutes(app: FastifyInstance, directory: string): void {
  void app.register(fastifyStatic, {
    root: directory,
    // Each file becomes a route of its own: any other path is somebody's document and must not touch the disk.
    wildcard: false,
    // Beside each file the build has put it compressed: those are sent in its place, and are no addresses themselves.
    preCompressed: true,
    globIgnore: ['**/*.{br,gz}'],
    cacheControl: false,
    setHeaders: (reply, path) => {
      // The build puts a hash of the content into the names of everything below assets/.
      reply.header('cache-control', path.includes('/assets/') ? oneYear : 'no-cache')
      reply.header('content-security-policy', contentSecurityPolicy)
    },
  })
}

/** Whether the demo editor has been built into this directory. */
export function isBuilt(directory: string): boolean {
  return existsSync(join(directory, 'index.html'))
}

/** Health probes written for other Yjs servers ask `/` and expect 200; people get told where they are. */
export function introductionRoute(app: FastifyInstance, version: string): void {
  const text = [
    'okay',
    '',
    `This is Scriptorium ${version}, a collaboration server for Yjs documents.`,
    'Editors connect to this address by WebSocket; there is no page here (the demo is off or not built).',
    'For operators: /healthz, /readyz, /metrics, /version',
    '',
  ].join('\n')
  app.get('/', async (_request, reply) => reply.type('text/plain; charset=utf-8').send(text))
}
