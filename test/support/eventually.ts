import { setTimeout as pause } from 'node:timers/promises'

/** Milliseconds after which a test gives up; far above anything that works takes, because machines are shared. */
const PATIENCE_MS = 10_000
const POLL_MS = 5

/** What a failed wait can report beside its name. */
type Detail = () => unknown

/**
 * Resolves once `condition` holds, asked every few milliseconds. A condition that throws does not hold yet.
 *
 * @param what names it in the error, as in "timed out waiting until <what>"
 * @param options `within`: milliseconds, default 10 s; `detail`: evaluated for the error message
 */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  options: { readonly within?: number; readonly detail?: Detail } = {},
): Promise<void> {
  const within = options.within ?? PATIENCE_MS
  const deadline = performance.now() + within
  for (;;) {
    const { holds, error } = await evaluate(condition)
    if (holds) return
    if (performance.now() > deadline) {
      const detail = options.detail === undefined ? '' : `; found ${JSON.stringify(options.detail())}`
      throw new Error(`timed out after ${String(within)} ms waiting until ${what}${detail}`, { cause: error })
    }
    await pause(POLL_MS)
  }
}

async function evaluate(condition: () => boolean | Promise<boolean>): Promise<{ holds: boolean; error?: unknown }> {
  try {
    return { holds: await condition() }
  } catch (error) {
    return { holds: false, error }
  }
}
