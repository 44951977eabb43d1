import type { AskedTokens, TokenListeners } from './askedTokens.ts'
import type { ClientClock } from './environment.ts'
import type { TokenSource } from './options.ts'

/** Where the token comes from. What it takes to ask for one is loaded then: most are given as they are. */
export class Tokens {
  /** Null: there is none, or nobody asks any more. */
  #source: TokenSource | null
  readonly #clock: ClientClock
  readonly #on: TokenListeners
  #asked: AskedTokens | null = null

  constructor(source: TokenSource | null, clock: ClientClock, on: TokenListeners) {
    this.#source = source
    this.#clock = clock
    this.#on = on
  }

  /** Rejects with `TOKEN_FAILED`. */
  get(): string | null | Promise<string | null> {
    const source = this.#source
    return typeof source === 'function' ? (this.#asked?.get() ?? this.#load(source)) : source
  }

  /** The connection came to nothing, which may be the token's fault: the next attempt asks for another. */
  forget(): void {
    this.#asked?.forget()
  }

  /** A document was synchronised with it. */
  accepted(): void {
    this.#asked?.accepted()
  }

  /** The server refused it. @returns whether asking for another one is worth while */
  refused(): boolean {
    return this.#asked?.refused() === true
  }

  destroy(): void {
    this.#source = null // what is being loaded may come later
    this.#asked?.destroy()
  }

  async #load(source: Exclude<TokenSource, string>): Promise<string | null> {
    const { AskedTokens } = await import('./askedTokens.ts')
    if (this.#source === null) return null
    this.#asked ??= new AskedTokens(source, this.#clock, this.#on)
    return this.#asked.get()
  }
}
