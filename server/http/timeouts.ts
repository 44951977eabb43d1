export interface HttpTimeouts {
  /** Milliseconds until a request's headers must be complete. Stops one header byte every ten seconds (C66). */
  readonly headersMs: number
  /** Milliseconds until the whole request must be here. Same attack, with the body. */
  readonly requestMs: number
  /** Milliseconds between two looks at those limits; Node's own default, 30 s, would make them three times as long. */
  readonly checkMs: number
}

export const defaultTimeouts: HttpTimeouts = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 }
