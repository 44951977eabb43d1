/** Milliseconds before a token ends at which another one is asked for. */
const MARGIN_MS = 60_000
/** Timers take 31 bits; who has weeks may as well be asked sooner. */
const LONGEST_MS = 0x7fff_ffff

/** Milliseconds after which another token is to be asked for; null: never, as far as can be known. */
export function renewalDelay(token: string): number | null {
  const left = lifetime(token)
  if (left === null) return null
  const wait = Math.max(left - MARGIN_MS, left / 2)
  return wait > 0 ? Math.min(wait, LONGEST_MS) : null
}

/** Milliseconds a JWT is still good for; null when it is no JWT or has no end. */
function lifetime(token: string): number | null {
  const [, payload = ''] = token.split('.')
  try {
    // Base64 of the kind made for URLs. What is not ASCII comes out wrong, and is not looked at.
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp?: unknown } | null
    const end = claims?.exp
    return typeof end === 'number' ? end * 1000 - Date.now() : null
  } catch {
    return null // not a JWT after all: its end is the server's business
  }
}
