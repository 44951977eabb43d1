import { encodeQueryParams } from 'lib0/url'
import { HELLO_PARAMS } from '../shared/wire/hello.ts'
import type { Environment, SocketClass, SocketLike } from './environment.ts'
import type { CompleteOptions } from './options.ts'
import type { RoomOwner } from './roomOwner.ts'
import type { Tokens } from './tokens.ts'

export interface DialParts {
  readonly owner: Pick<RoomOwner<unknown>, 'serverUrl' | 'roomname' | 'params' | 'protocols'>
  readonly options: CompleteOptions
  readonly environment: Environment
  readonly tokens: Tokens
  readonly failure: (error: unknown) => void
}

/** The socket of one document for one attempt: finds its class, the token and the address. Rejects or throws when it cannot. */
export function dial(parts: DialParts): SocketLike | Promise<SocketLike> {
  const { options, environment, tokens } = parts
  const found = options.WebSocketPolyfill ?? environment.webSocket()
  const token = tokens.get()
  if (!(found instanceof Promise) && !(token instanceof Promise)) return open(parts, found, token)
  return Promise.all([found, token]).then((both) => open(parts, ...both))
}

function open(parts: DialParts, SocketClass: SocketClass, token: string | null): SocketLike | Promise<SocketLike> {
  const { owner, options } = parts
  const { multiplex } = options
  const url = addressOf(parts, multiplex ? null : token)
  const openSocket = (): SocketLike => new SocketClass(url, owner.protocols)
  if (!multiplex) return openSocket()
  // Loaded when it is needed: most applications have one document at a time.
  return import('./sharedSocket.ts').then(({ openSharedSocket }) =>
    openSharedSocket({ ...parts, url, token }, openSocket),
  )
}

/** With `multiplex`, documents are named in messages, and the path is the server's business. */
function addressOf({ owner, options }: DialParts, token: string | null): string {
  const params: Record<string, string> = { ...owner.params, ...HELLO_PARAMS }
  if (token !== null) params['token'] = token
  return `${owner.serverUrl}/${options.multiplex ? '' : owner.roomname}?${encodeQueryParams(params)}`
}
