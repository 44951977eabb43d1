import { ScriptoriumError } from '../shared/errors.ts'

/** The server said no, and asking again would not help. `closeCode`: 4400 to 4499; 4403 for one document of a shared socket. */
export class AccessDeniedError extends ScriptoriumError<'ACCESS_DENIED'> {
  readonly closeCode: number

  constructor(reason: string, closeCode: number) {
    super('ACCESS_DENIED', reason || 'denied')
    this.closeCode = closeCode
  }
}

/** There are edits, and the server takes none from this client. */
export class ReadOnlyError extends ScriptoriumError<'READ_ONLY'> {
  constructor() {
    super('READ_ONLY', 'read-only')
  }
}

/** The provider was destroyed while something was awaited. */
export class DestroyedError extends ScriptoriumError<'DESTROYED'> {
  constructor() {
    super('DESTROYED', 'destroyed')
  }
}

/**
 * What a provider's `error` event carries, by `code`; `cause` keeps what lay underneath.
 * `TOKEN_FAILED`: the `token` function threw, rejected or gave what is no token; the connection is tried again later.
 * `DEVICE_STORE_FAILED`: the store on this device failed; the document goes on without it, and is written as a whole once it
 * works again. `SOCKET_FAILED`: no socket can be made. `MALFORMED_FRAME`: the server or another tab said something that
 * cannot be read; the connection is made anew, unless it was about presence.
 */
export type ProviderErrorCode = 'TOKEN_FAILED' | 'DEVICE_STORE_FAILED' | 'SOCKET_FAILED' | 'MALFORMED_FRAME'

export class ProviderError extends ScriptoriumError<ProviderErrorCode> {}
