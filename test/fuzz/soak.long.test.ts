import { describe, expect, it } from 'vitest'
import { runPresenceHistory } from '../model/presenceHistory.ts'
import { fromEnvironment } from '../model/random.ts'
import { runConvergenceHistory } from './convergenceHistory.ts'

/** Wall-clock time per property. Milliseconds. */
const DURATION_MS = fromEnvironment('SOAK_MS', 120_000)
/** New histories every time; the seed of one that fails is in its message, for `FUZZ_SEED` or `MODEL_SEED`. */
const FIRST = fromEnvironment('SOAK_SEED', Math.floor(Math.random() * 0x4000_0000))
/**
 * Histories in a thousand that may end with somebody's own state one change behind: who adopts a raised clock and loses
 * the socket before hearing of its own newest state comes back with the one before (SPEC A6). Measured: 5 of 27,674.
 */
const ROLLED_BACK_PER_THOUSAND = 0.6

interface Soaked {
  readonly histories: number
  readonly failures: readonly Error[]
}

async function soak(history: (seed: number) => Promise<void>): Promise<Soaked> {
  const end = performance.now() + DURATION_MS
  const failures: Error[] = []
  let seed = FIRST
  for (; performance.now() < end; seed += 1) {
    try {
      await history(seed)
    } catch (error) {
      failures.push(new Error(`seed ${seed} fails: ${String(error)}`, { cause: error }))
    }
  }
  return { histories: seed - FIRST, failures }
}

/** Somebody's own state, exactly one change old. Anything else that is wrong is a failure like any other. */
function isOneBehind({ message }: Error): boolean {
  const found = /expected \{ owner: (\d+), value: (\d+) \} to deeply equal \{ owner: (\d+), value: (\d+) \}/.exec(
    message,
  )
  const [owner, value, trueOwner, trueValue] = (found ?? []).slice(1).map(Number)
  return owner !== undefined && owner === trueOwner && value === (trueValue ?? 0) - 1
}

describe('soak', () => {
  it(`P1, P2: convergence histories from seed ${FIRST}`, async () => {
    const { histories, failures } = await soak(runConvergenceHistory)
    expect(histories).toBeGreaterThan(0)
    expect(failures).toEqual([])
  })

  it(`P4, A6: presence histories from seed ${FIRST}`, async () => {
    const { histories, failures } = await soak(runPresenceHistory)
    expect(histories).toBeGreaterThan(1000)
    expect(failures.filter((failure) => !isOneBehind(failure))).toEqual([])
    expect((1000 * failures.length) / histories).toBeLessThan(ROLLED_BACK_PER_THOUSAND)
  })
})
