import type { ClientClock } from './environment.ts'
import { ProviderError } from './errors.ts'
import type { TokenContext, TokenSource } from './options.ts'

type Reason = TokenContext['reason']

interface Listeners {
  /** This token replaces one that is about to end. */
  readonly renewed: (token: string) => void
  readonly failure: (error: unknown) => void
}

/** The token in use: kept while it may still be good, asked for again when it ends or was refused. */
export class Tokens {
  /** Null: there is none, or nobody asks any more. */
  #source: TokenSource | null
  readonly #clock: ClientClock
  readonly #on: Listeners
  #current: string | null = null
  #reason: Reason = 'connect'
  #hasRetried = false
  #cancel: (() => void) | null = null

  constructor(source: TokenSource | null, clock: ClientClock, on: Listeners) {
    this.#source = source
    this.#clock = clock
    this.#on = on
  }

  /** Rejects with `TOKEN_FAILED`. */
  get(): string | null | Promise<string> {
    const source = this.#source
    if (typeof source !== 'function') return source
    return this.#current ?? this.#ask(source)
  }

  /** The connection came to nothing, which may be the token's fault: the next attempt asks for another. */
  forget(): void {
    this.#current = null
  }

  /** A document was synchronised with it. */
  accepted(): void {
    this.#hasRetried = false
  }

  /** The server refused it. @returns whether asking for another one is worth while */
  refused(): boolean {
    this.forget()
    this.#reason = 'rejected'
    if (typeof this.#source !== 'function' || this.#hasRetried) return false
    this.#hasRetried = true
    return true
  }

  destroy(): void {
    this.#source = null // who is being asked may answer later
    this.#cancel?.()
  }

  async #ask(source: Exclude<TokenSource, string>): Promise<string> {
    const reason = this.#reason
    this.#reason = 'connect'
    try {
      const token = await source({ reason })
      this.#current = token
      this.#watchExpiry(token, source)
      return token
    } catch (error) {
      throw new ProviderError('TOKEN_FAILED', 'no token', error)
    }
  }

  /** What that takes is loaded then: most tokens are given as they are. */
  #watchExpiry(token: string, source: Exclude<TokenSource, string>): void {
    import('./tokenExpiry.ts').then(
      ({ renewalDelay }) => {
        if (this.#current !== token || this.#source === null) return
        this.#cancel?.()
        const wait = renewalDelay(token)
        if (wait !== null) this.#cancel = this.#clock.after(wait, () => this.#renew(source))
      },
      (error: unknown) => this.#on.failure(new ProviderError('TOKEN_FAILED', 'no token', error)),
    )
  }

  #renew(source: Exclude<TokenSource, string>): void {
    this.forget()
    this.#reason = 'expiring'
    this.#ask(source).then(this.#on.renewed, this.#on.failure)
  }
}
