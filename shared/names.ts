import { InvalidNameError } from './errors.ts'

// C0 controls and DEL. NUL separates name and session in a Hocuspocus address; the others would forge log lines.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

/** `http://host` before the path: HTTP allows it in a request, and proxies are told by it what to connect to. */
const ABSOLUTE_FORM = /^[a-z][a-z0-9+.-]*:\/\/[^/]*/i

/** UTF-8 length of a well-formed string, without encoding it. */
function utf8Length(text: string): number {
  let bytes = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4
  }
  return bytes
}

/**
 * Checks a document name: 1 to `maxBytes` bytes of UTF-8, no control characters, otherwise any Unicode, taken as it is
 * (two normal forms are two documents; `__proto__` and `../x` are names like others, because no name is ever a path or
 * a property key).
 *
 * @throws InvalidNameError
 */
export function checkName(name: string, maxBytes: number): string {
  const fault = faultOfName(name, maxBytes)
  if (fault !== null) throw new InvalidNameError(fault)
  return name
}

/** Why `checkName` would throw; null: it would not. */
export function faultOfName(name: string, maxBytes: number): string | null {
  if (name === '') return 'document name missing'
  if (utf8Length(name) > maxBytes) return `document name longer than ${maxBytes} bytes`
  return CONTROL.test(name) ? 'document name contains control characters' : null
}

/**
 * The document a y-websocket client means by its URL: the path without the leading slash and the query,
 * percent-decoded, so that it equals the name a Hocuspocus client would send. Slashes inside belong to the name.
 *
 * @param url the request target, e.g. `/team/notes%20a?token=x`
 * @throws InvalidNameError when the escapes do not decode to UTF-8
 */
export function nameFromUrl(url: string): string {
  const end = url.search(/[?#]/)
  const target = end === -1 ? url : url.slice(0, end)
  const path = target.replace(ABSOLUTE_FORM, '').replace(/^\//, '')
  try {
    return decodeURIComponent(path)
  } catch (error) {
    throw new InvalidNameError('the URL path has broken percent escapes', error)
  }
}
