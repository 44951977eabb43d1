import { InvalidOptionError } from '../../../shared/errors.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Where Redis is and how to get in, as one URL says it. */
export interface Target {
  readonly mode: 'standalone' | 'sentinel' | 'cluster'
  /** The server; the sentinels; some nodes of the cluster. At least one. */
  readonly addresses: readonly Address[]
  readonly tls: boolean
  /** Empty: the default user. */
  readonly username: string
  /** Empty: none. */
  readonly password: string
  readonly database: number
  /** What the sentinels call the master; empty in other modes. */
  readonly master: string
}

const modes: Readonly<Record<string, { readonly mode: Target['mode']; readonly tls: boolean; readonly port: number }>> =
  {
    redis: { mode: 'standalone', tls: false, port: 6379 },
    rediss: { mode: 'standalone', tls: true, port: 6379 },
    'redis+sentinel': { mode: 'sentinel', tls: false, port: 26_379 },
    'rediss+sentinel': { mode: 'sentinel', tls: true, port: 26_379 },
    'redis+cluster': { mode: 'cluster', tls: false, port: 6379 },
    'rediss+cluster': { mode: 'cluster', tls: true, port: 6379 },
  }

/** Completes "… must be". */
export const TARGET_FORMS =
  'redis://[user:password@]host[:port][/database], redis+sentinel://host[:port],…/master[/database] or ' +
  'redis+cluster://host[:port],… (rediss… for TLS)'

/**
 * Reads the URL by hand: several hosts in one URL are more than WHATWG's parser takes.
 *
 * @throws InvalidOptionError, whose message never holds the URL: there may be a password in it
 */
export function parseTarget(url: string): Target {
  const parts = /^([a-z+]+):\/\/(?:([^@]*)@)?([^/?#]*)(\/[^?#]*)?$/.exec(url)
  const form = modes[parts?.[1] ?? '']
  if (parts === null || form === undefined) throw wrong('')
  const [, , login = '', hosts = '', path = ''] = parts
  const { mode, tls, port } = form
  const addresses = hosts.split(',').map((host) => parseAddress(host, port))
  if (mode === 'standalone' && addresses.length > 1) throw wrong(': redis:// names one server')
  return { mode, tls, addresses, ...parseLogin(login), ...parsePath(mode, path) }
}

export function isTarget(url: string): boolean {
  try {
    parseTarget(url)
    return true
  } catch {
    return false
  }
}

/** For people: without user and password. */
export function describeTarget({ mode, tls, addresses, database, master }: Target): string {
  const hosts = addresses.map(describeAddress).join(',')
  const scheme = `redis${tls ? 's' : ''}${mode === 'standalone' ? '' : `+${mode}`}`
  const path = [...(master === '' ? [] : [master]), ...(database === 0 ? [] : [String(database)])]
  return `${scheme}://${[hosts, ...path].join('/')}`
}

export function describeAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${String(port)}`
}

function parseAddress(text: string, defaultPort: number): Address {
  const parts = /^(?:\[([\da-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(text)
  const port = Number(parts?.[3] ?? defaultPort)
  if (parts === null || port < 1 || port > 65_535) throw wrong(': a host or a port is wrong')
  return { host: parts[1] ?? parts[2] ?? '', port }
}

function parseLogin(login: string): Pick<Target, 'username' | 'password'> {
  const colon = login.indexOf(':')
  const [username, password] = colon === -1 ? [login, ''] : [login.slice(0, colon), login.slice(colon + 1)]
  return { username: decode(username), password: decode(password) }
}

function parsePath(mode: Target['mode'], path: string): Pick<Target, 'master' | 'database'> {
  const parts = path.split('/').slice(1).map(decode)
  if (parts.at(-1) === '') parts.pop()
  const master = mode === 'sentinel' ? (parts.shift() ?? '') : ''
  if (mode === 'sentinel' && master === '') throw wrong(': the name of the master is missing')
  const database = Number(parts.shift() ?? 0)
  if (parts.length > 0 || !Number.isInteger(database) || database < 0) throw wrong(': the database must be a number')
  if (mode === 'cluster' && database !== 0) throw wrong(': a cluster has no databases')
  return { master, database }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw wrong(': a percent escape is broken')
  }
}

function wrong(why: string): InvalidOptionError {
  return new InvalidOptionError('redis', `The Redis URL must be ${TARGET_FORMS}${why}.`)
}
