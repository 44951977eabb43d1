import type { Awareness } from 'y-protocols/awareness'
import { InvalidOptionError } from '../shared/errors.ts'
import type { Environment, SocketClass, StoreOpener } from './environment.ts'

/** Why a token is asked for. */
export interface TokenContext {
  /** `expiring`: the one in use (a JWT) ends within a minute. `rejected`: the server refused the one before. */
  readonly reason: 'connect' | 'expiring' | 'rejected'
}

type Token = string | null | undefined

/** What a function gives is a token, or null or undefined: the application has none. */
export type TokenSource = string | ((context: TokenContext) => Token | Promise<Token>)

/** The options of y-websocket 3.1, with its defaults, and what is added to them. */
export interface ProviderOptions<Provider> {
  /** Connect at once. Default true. */
  readonly connect?: boolean | undefined
  /** Presence. Default: a new one for the document, which is destroyed with the provider. */
  readonly awareness?: Awareness | undefined
  /** Query parameters of the URL, before our own `hello`; read again for every connection. */
  readonly params?: Record<string, string> | undefined
  /** WebSocket subprotocols. */
  readonly protocols?: string[] | undefined
  /** Default: the global WebSocket, else `ws`. */
  readonly WebSocketPolyfill?: SocketClass | undefined
  /** Milliseconds between two requests for the server's whole state. Default: -1, never. */
  readonly resyncInterval?: number | undefined
  /** Upper bound, in milliseconds, of the random time before the next attempt. Default 2500. */
  readonly maxBackoffTime?: number | undefined
  /** No exchange with other tabs. Default false. */
  readonly disableBc?: boolean | undefined
  /** Asked when the server has closed the socket. Default: yes, unless the code is 4400 to 4499 and not 4408, a timeout. */
  readonly shouldReconnect?: ((event: CloseEvent, provider: Provider) => boolean) | undefined

  /** Sent as `token` in the query, with `multiplex` as an Auth message. A function is asked again when it has to be. */
  readonly token?: TokenSource | undefined
  /**
   * Milliseconds edits are gathered before they are sent as one. Default 'auto': the first leaves at the end of its turn of
   * the event loop, those of the next 16 ms together, and of up to 50 ms on slow connections.
   */
  readonly flushDelay?: number | 'auto' | undefined
  /** Milliseconds between two presence messages of ours; half of it when one can leave with an edit. Default 50. */
  readonly awarenessThrottle?: number | undefined
  /**
   * Milliseconds within which a dead connection to a Scriptorium server is noticed, once in sync; three times that on a hidden
   * page. Default 10 000, at least 1000.
   */
  readonly heartbeat?: number | undefined
  /** Milliseconds a connection may take to open, the token included. Default 10 000. */
  readonly connectTimeout?: number | undefined
  /** Ask before the page is closed while something is not saved. Default false. */
  readonly preventUnsavedChanges?: boolean | undefined
  /** Share one socket with all providers of the same URL that say so. Needs a Scriptorium or Hocuspocus server. Default false. */
  readonly multiplex?: boolean | undefined
  /**
   * Keep the document on this device. `true`: in IndexedDB, in a database named as the room, as y-indexeddb 9 does.
   * Default false.
   */
  readonly persistence?: boolean | StoreOpener | undefined
  /** For tests: where time, sockets, chance and the page come from. */
  readonly environment?: Environment | undefined
}

/** Every option with a default, which is that of y-websocket where it has the option, too; new ones, as some may change. */
const defaults = () => ({
  connect: true,
  protocols: [] as string[],
  params: {} as Record<string, string>,
  resyncInterval: -1,
  maxBackoffTime: 2_500,
  disableBc: false,
  token: null as TokenSource | null,
  flushDelay: 'auto' as number | 'auto',
  awarenessThrottle: 50,
  heartbeat: 10_000,
  connectTimeout: 10_000,
  preventUnsavedChanges: false,
  multiplex: false,
  persistence: false as boolean | StoreOpener,
  WebSocketPolyfill: null as SocketClass | null,
})

/** The least that makes sense of what is a number. */
const minimums = {
  resyncInterval: -1,
  maxBackoffTime: 1,
  flushDelay: 0,
  awarenessThrottle: 0,
  heartbeat: 1_000,
  connectTimeout: 1,
} as const
/** Milliseconds: timers take 31 bits, and end at once when they are given more. */
const MAXIMUM = 2 ** 31 - 1

export interface CompleteOptions extends Readonly<Omit<ReturnType<typeof defaults>, 'persistence'>> {
  readonly persistence: StoreOpener | null
}

/** @throws InvalidOptionError */
export function completeOptions<Provider>(given: ProviderOptions<Provider>, environment: Environment): CompleteOptions {
  const options = defaults()
  for (const [option, value] of Object.entries<unknown>({ ...given })) {
    if (value !== undefined) (options as Record<string, unknown>)[option] = value
  }
  for (const [option, minimum] of Object.entries(minimums)) {
    const value = options[option as keyof typeof minimums]
    if (value === 'auto' && option === 'flushDelay') continue
    const isNumber = typeof value === 'number' && value >= minimum && value <= MAXIMUM // NaN is neither
    if (!isNumber) throw new InvalidOptionError(option, `${option} must be from ${minimum} to ${MAXIMUM}`)
  }
  return { ...options, persistence: storeOpener(options.persistence, environment) }
}

function storeOpener(persistence: boolean | StoreOpener, { openStore }: Environment): StoreOpener | null {
  if (typeof persistence === 'function') return persistence
  if (!persistence) return null
  if (openStore !== null) return openStore
  throw new InvalidOptionError('persistence', 'persistence needs IndexedDB')
}
