import { nameFromUrl } from '../../shared/names.ts'

/** Bytes of a request's head; the same as Node's own limit. */
const MAX_HEAD_BYTES = 16 * 1024

export type RequestHead =
  | { readonly kind: 'incomplete' }
  /** Whoever reads it knows how to answer it; it is about no document. */
  | { readonly kind: 'request' }
  /** Asks for a WebSocket; `document` by its path, null when that names none. */
  | { readonly kind: 'upgrade'; readonly document: string | null }

const requestLine = /^[A-Z]+ (?<target>\S+) HTTP\/1\.[01]\r\n/
const upgrade = /\r\nupgrade:[ \t]*websocket[ \t]*\r\n/i

/**
 * What a connection is about, from what has been read of it so far (as Latin-1). Nothing is judged: what is wrong, or
 * too long, is a request that its worker refuses as it refuses all others of the kind.
 */
export function readRequestHead(read: string): RequestHead {
  if (read.length > MAX_HEAD_BYTES || !/^[A-Z]/.test(read)) return { kind: 'request' }
  const end = read.indexOf('\r\n\r\n')
  if (end === -1) return { kind: 'incomplete' }
  const head = read.slice(0, end + 2)
  const target = requestLine.exec(head)?.groups?.['target']
  if (target === undefined || !upgrade.test(head)) return { kind: 'request' }
  return { kind: 'upgrade', document: documentOf(target) }
}

function documentOf(target: string): string | null {
  try {
    return nameFromUrl(target) || null
  } catch {
    return null // broken escapes: refused by whoever gets it
  }
}
