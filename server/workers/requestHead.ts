import { nameFromUrl } from '../../shared/names.ts'

/** Bytes of a request's head; the same as Node's own limit. */
const MAX_HEAD_BYTES = 16 * 1024

export type RequestHead =
  | { readonly kind: 'incomplete' }
  /** Whoever reads it knows how to answer it; it is about no document. */
  | { readonly kind: 'request' }
  /** Asks for a WebSocket; `document` by its path, null when that cannot be decoded. */
  | { readonly kind: 'upgrade'; readonly document: string | null }
  /** Asks for a WebSocket, and for nothing else: the path is empty, so the first frame must tell the document. */
  | { readonly kind: 'greeting'; readonly key: string; readonly length: number }

const requestLine = /^[A-Z]+ (?<target>\S+) HTTP\/1\.[01]\r\n/
const upgrade = /\r\nupgrade:[ \t]*websocket[ \t]*\r\n/i
const connection = /\r\nconnection:[^\r]*\bupgrade\b/i
const version = /\r\nsec-websocket-version:[ \t]*13[ \t]*\r\n/i
const negotiated = /\r\nsec-websocket-protocol:/i
const handshakeKey = /\r\nsec-websocket-key:[ \t]*(?<key>[+/0-9A-Za-z]{22}==)[ \t]*\r\n/i

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
  return aboutUpgrade(head, documentOf(target))
}

/** @param document empty: the path is; null: it cannot be decoded */
function aboutUpgrade(head: string, document: string | null): RequestHead {
  const key = document === '' && isPlain(head) ? handshakeKey.exec(head)?.groups?.['key'] : undefined
  if (key === undefined) return { kind: 'upgrade', document: document || null }
  return { kind: 'greeting', key, length: head.length + 2 }
}

/** One that no worker would refuse or answer with more than an acceptance. */
function isPlain(head: string): boolean {
  return head.startsWith('GET ') && version.test(head) && connection.test(head) && !negotiated.test(head)
}

function documentOf(target: string): string | null {
  try {
    return nameFromUrl(target)
  } catch {
    return null // broken escapes: refused by whoever gets it
  }
}
