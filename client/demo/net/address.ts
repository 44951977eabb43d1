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

export const MODES = ['text', 'code'] as const
/** The two pages of a document. */
export type Mode = (typeof MODES)[number]

/** The page a link opens: `?code#name`, or the text. */
export function openingMode(): Mode {
  return new URLSearchParams(location.search).has('code') ? 'code' : 'text'
}

export function rememberMode(mode: Mode): void {
  const parameters = new URLSearchParams(location.search)
  parameters.delete('code')
  history.replaceState(null, '', address([...parameters.keys(), ...(mode === 'code' ? ['code'] : [])]))
}

/** What to do with this window: be one page, hold two people side by side, or be one of the two. */
export type WindowRole = 'page' | 'split' | 'first' | 'second'

export function windowRole(): WindowRole {
  const parameters = new URLSearchParams(location.search)
  const roles: WindowRole[] = ['split', 'first', 'second']
  return roles.find((role) => parameters.has(role)) ?? 'page'
}

/** This document in a window with another role. */
export function addressFor(role: WindowRole): string {
  const mode = openingMode() === 'code' ? ['code'] : []
  return address(role === 'page' ? mode : [role, ...mode])
}

/** What to send to others: nothing in it is about this window. */
export function linkToShare(): string {
  return new URL(addressFor('page'), location.href).href
}

function address(flags: readonly string[]): string {
  const query = flags.length === 0 ? '' : `?${flags.join('&')}`
  return `${location.pathname}${query}${location.hash}`
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
