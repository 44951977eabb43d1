/** Promises about something that is looked at again whenever it may have changed. */
export class Waiters {
  readonly #waiters = new Set<(failure?: { readonly reason: unknown }) => void>()

  /** Resolves once `isDone`; rejects as `rejectAll` says, or with the signal's reason. */
  wait(isDone: () => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const abort = (): void => look({ reason: signal?.reason })
      const look = (failure?: { readonly reason: unknown }): void => {
        if (!failure && !isDone()) return
        this.#waiters.delete(look)
        signal?.removeEventListener('abort', abort)
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- a signal's reason is whatever its owner chose
        if (failure) reject(failure.reason)
        else resolve()
      }
      signal?.addEventListener('abort', abort)
      this.#waiters.add(look)
      look()
    })
  }

  check(): void {
    for (const look of this.#waiters) look()
  }

  /** @param makeReason is called when there is somebody to tell: errors cost their stack */
  rejectAll(makeReason: () => unknown): void {
    for (const look of this.#waiters) look({ reason: makeReason() })
  }
}
