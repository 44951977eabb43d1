/** Lets this page be opened without its server, in browsers and places where that is possible. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return
  // When the page has all it needs: the rest is fetched for another time.
  addEventListener('load', () => {
    // Private windows and strict settings forbid it. Then a reload without the server fails, and nothing else does.
    navigator.serviceWorker.register('./worker.js').catch(() => undefined)
  })
}
