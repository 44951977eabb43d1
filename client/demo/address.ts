/**
 * The document named after the `#` of the page's address. A fragment is never sent to a server, so an unguessable name
 * stays out of access logs and referrers. Without one, a random name of 128 bits is made and put there.
 */
export function documentName(): string {
  const named = decode(location.hash.slice(1))
  if (named !== '') return named
  const random = randomName()
  history.replaceState(null, '', `#${random}`)
  return random
}

/** The WebSocket address of the server this page came from, also when a proxy serves it below a path. */
export function socketAddress(): string {
  const address = new URL('.', location.href)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  return address.href
}

function randomName(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function decode(fragment: string): string {
  try {
    return decodeURIComponent(fragment)
  } catch {
    return fragment // "100%" is no escape sequence; take it as it was typed
  }
}
