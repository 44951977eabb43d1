/** Milliseconds the worker waits: it fetches the whole page once more, and the first words must not wait for that. */
const REST_MS = 2_000

/** Lets this page be opened without its server, in browsers and places where that is possible. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  const register = (): void => {
    // Private windows and strict settings forbid it. Then a reload without the server fails, and nothing else does.
    navigator.serviceWorker.register('./worker.js').catch(() => undefined)
  }
  // When the page has all it needs: the rest is fetched for another time.
  addEventListener('load', () => setTimeout(register, REST_MS))
}
