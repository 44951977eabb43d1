import type { Room } from './room.ts'

/** Milliseconds the worker waits: it fetches the whole page once more, and the first words must not wait for that. */
const REST_MS = 2_000

/** Lets this page be opened without its server, in browsers and places where that is possible. */
export function keepPage({ provider }: Room): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  // Where there is no server to fetch it from, the browser would complain on its console.
  const register = (): void => {
    if (!provider.wsconnected) return
    provider.off('link', register)
    // Private windows and strict settings forbid it. Then a reload without the server fails, and nothing else does.
    navigator.serviceWorker.register('./worker.js').catch(() => undefined)
  }
  const begin = (): void => {
    provider.on('link', register)
    register()
  }
  // When the page has all it needs: the rest is fetched for another time.
  addEventListener('load', () => setTimeout(begin, REST_MS))
}
