import { encodeQueryParams } from 'lib0/url'
import { HELLO_QUERY } from '../shared/wire/hello.ts'
import type { Environment, SocketClass, SocketLike } from './environment.ts'
import type { CompleteOptions } from './options.ts'
import type { RoomOwner } from './roomOwner.ts'
import type { Tokens } from './tokens.ts'

interface DialerParts {
  readonly owner: Pick<RoomOwner<unknown>, 'serverUrl' | 'roomname' | 'params'>
  readonly options: CompleteOptions
  readonly environment: Environment
  readonly tokens: Tokens
  readonly failure: (error: unknown) => void
}

/** Makes the sockets of one document: finds their class, the token and the address. */
export class Dialer {
  readonly #parts: DialerParts

  constructor(parts: DialerParts) {
    this.#parts = parts
  }

  /** For one attempt; rejects or throws when there cannot be one now. */
  dial(): SocketLike | Promise<SocketLike> {
    const { options, environment, tokens } = this.#parts
    const found = options.WebSocketPolyfill ?? environment.webSocket()
    const token = tokens.get()
    if (!(found instanceof Promise) && !(token instanceof Promise)) return this.#open(found, token)
    return Promise.all([found, token]).then((both) => this.#open(...both))
  }

  #open(SocketClass: SocketClass, token: string | null): SocketLike | Promise<SocketLike> {
    const { options } = this.#parts
    const { multiplex, protocols } = options
    const url = this.#address(multiplex ? null : token)
    const open = (): SocketLike => new SocketClass(url, protocols)
    return multiplex ? this.#share(url, token, open) : open()
  }

  async #share(url: string, token: string | null, open: () => SocketLike): Promise<SocketLike> {
    const { owner, environment, tokens, failure } = this.#parts
    // Loaded when it is needed: most applications have one document at a time.
    const { openSharedSocket } = await import('./sharedSocket.ts')
    return openSharedSocket(environment, { url, room: owner.roomname, token, tokens, failure }, open)
  }

  /** With `multiplex`, documents are named in messages, and the path is the server's business. */
  #address(token: string | null): string {
    const { owner, options } = this.#parts
    const query = encodeQueryParams(token === null ? owner.params : { ...owner.params, token })
    return `${owner.serverUrl}/${options.multiplex ? '' : owner.roomname}?${HELLO_QUERY}${query && `&${query}`}`
  }
}
