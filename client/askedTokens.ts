import type { ClientClock } from './environment.ts'
import { ProviderError } from './errors.ts'
import type { TokenContext, TokenSource } from './options.ts'
import { renewalDelay } from './tokenExpiry.ts'

export interface TokenListeners {
  /** This token replaces one that is about to end. */
  readonly renewed: (token: string) => void
  readonly failure: (error: unknown) => void
}

/** Tokens of a function: the one in use is kept while it may still be good, another asked for when it ends or was refused. */
export class AskedTokens {
  readonly #source: Exclude<TokenSource, string>
  readonly #clock: ClientClock
  readonly #on: TokenListeners
  #current: string | null = null
  #reason: TokenContext['reason'] = 'connect'
  #hasRetried = false
  /** Raised with every `forget`: what was asked for before is not to be kept, whenever it comes. */
  #generation = 0
  #cancel: (() => void) | null = null

  constructor(source: Exclude<TokenSource, string>, clock: ClientClock, on: TokenListeners) {
    this.#source = source
    this.#clock = clock
    this.#on = on
  }

  /** Rejects with `TOKEN_FAILED`. Null: the application has none at the moment. */
  get(): string | Promise<string | null> {
    return this.#current ?? this.#ask()
  }

  forget(): void {
    this.#generation += 1
    this.#current = null
    this.#cancel?.() // nobody needs another one in its place
  }

  accepted(): void {
    this.#hasRetried = false
  }

  refused(): boolean {
    this.forget()
    this.#reason = 'rejected'
    const isFirst = !this.#hasRetried
    this.#hasRetried = true
    return isFirst
  }

  destroy(): void {
    this.forget()
  }

  async #ask(): Promise<string | null> {
    const reason = this.#reason
    const generation = this.#generation
    this.#reason = 'connect'
    try {
      const token = (await this.#source({ reason })) ?? null
      if (token !== null && typeof token !== 'string') throw new TypeError('a token is a string')
      if (generation === this.#generation) this.#keep(token)
      return token
    } catch (error) {
      throw new ProviderError('TOKEN_FAILED', 'no token', error)
    }
  }

  #keep(token: string | null): void {
    this.#cancel?.()
    this.#current = token
    const wait = token === null ? null : renewalDelay(token)
    if (wait !== null) this.#cancel = this.#clock.after(wait, () => this.#renew())
  }

  #renew(): void {
    this.forget()
    this.#reason = 'expiring'
    const generation = this.#generation
    const renewed = (token: string | null): void => {
      if (token !== null && generation === this.#generation) this.#on.renewed(token)
    }
    this.#ask().then(renewed, this.#on.failure)
  }
}
