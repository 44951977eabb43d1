import type { ClientClock } from './environment.ts'
import { ProviderError } from './errors.ts'
import type { TokenContext, TokenSource } from './options.ts'

/** Milliseconds before a token ends at which another one is asked for. */
const MARGIN_MS = 60_000

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
      throw new ProviderError('TOKEN_FAILED', 'token function failed', error)
    }
  }

  #watchExpiry(token: string, source: Exclude<TokenSource, string>): void {
    this.#cancel?.()
    const left = lifetime(token)
    if (left === null || this.#source === null) return
    const wait = Math.max(left - MARGIN_MS, left / 2)
    if (wait <= 0) return
    // Timers take 31 bits; who has weeks may as well be asked sooner.
    this.#cancel = this.#clock.after(Math.min(wait, 0x7fff_ffff), () => this.#renew(source))
  }

  #renew(source: Exclude<TokenSource, string>): void {
    this.forget()
    this.#reason = 'expiring'
    this.#ask(source).then(this.#on.renewed, this.#on.failure)
  }
}

/** Milliseconds a JWT is still good for; null when it is no JWT or has no end. */
function lifetime(token: string): number | null {
  const [, payload = ''] = token.split('.')
  try {
    // Base64 of the kind made for URLs. What is not ASCII comes out wrong, and is not looked at.
    const claims = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp?: unknown } | null
    const end = claims?.exp
    return typeof end === 'number' ? end * 1000 - Date.now() : null
  } catch {
    return null // not a JWT after all: its end is the server's business
  }
}
