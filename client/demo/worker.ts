/**
 * Keeps the page itself on this device, so that a document can be opened, and written in, while there is no server. What the
 * server has comes first; this answers when it does not. Documents are not kept here: the provider does that.
 */

/** Paths of everything the build has made, put in by vite.config.ts: so each build is another worker, with other files. */
declare const __FILES__: readonly string[]

/** The parts of the service worker events that are used; the DOM's own types do not have them. */
interface LastingEvent extends Event {
  waitUntil(work: Promise<unknown>): void
}

interface RequestEvent extends LastingEvent {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}

const CACHE = 'scriptorium-page'
/** The page, whatever its query says. */
const PAGE = './'

addEventListener('install', (event) => {
  ;(event as LastingEvent).waitUntil(keep())
})

addEventListener('activate', (event) => {
  ;(event as LastingEvent).waitUntil(forgetOthers())
})

addEventListener('fetch', (event) => {
  const { request } = event as RequestEvent
  const path = new URL(request.url).pathname
  const isPage = request.mode === 'navigate' && path === new URL(PAGE, location.href).pathname
  if (isPage) (event as RequestEvent).respondWith(fetch(request).catch(() => kept(PAGE)))
  else if (__FILES__.some((file) => new URL(file, location.href).href === request.url)) {
    ;(event as RequestEvent).respondWith(kept(request.url))
  }
})

async function keep(): Promise<void> {
  const cache = await caches.open(CACHE)
  await cache.addAll(
    [PAGE, ...__FILES__].map((path) => new Request(path, { cache: path === PAGE ? 'reload' : 'default' })),
  )
}

/** Files of earlier builds. */
async function forgetOthers(): Promise<void> {
  const cache = await caches.open(CACHE)
  const current = new Set([PAGE, ...__FILES__].map((path) => new URL(path, location.href).href))
  const old = (await cache.keys()).filter(({ url }) => !current.has(url))
  await Promise.all(old.map((request) => cache.delete(request)))
}

async function kept(path: string): Promise<Response> {
  const cache = await caches.open(CACHE)
  return (await cache.match(path)) ?? fetch(path)
}
