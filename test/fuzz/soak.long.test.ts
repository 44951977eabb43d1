import { describe, expect, it } from 'vitest'
import { runPresenceHistory } from '../model/presenceHistory.ts'
import { fromEnvironment } from '../model/random.ts'
import { runConvergenceHistory } from './convergenceHistory.ts'

/** Wall-clock time per property. Milliseconds. */
const DURATION_MS = fromEnvironment('SOAK_MS', 150_000)
/** New histories every time; the seed of one that fails is in its message, for `FUZZ_SEED` or `MODEL_SEED`. */
const FIRST = fromEnvironment('SOAK_SEED', Math.floor(Math.random() * 0x4000_0000))

async function soak(history: (seed: number) => Promise<void>): Promise<number> {
  const end = performance.now() + DURATION_MS
  let seed = FIRST
  for (; performance.now() < end; seed += 1) {
    try {
      await history(seed)
    } catch (error) {
      throw new Error(`seed ${seed} fails`, { cause: error })
    }
  }
  return seed - FIRST
}

describe('soak', () => {
  it(`P1, P2: convergence histories from seed ${FIRST}`, async () => {
    expect(await soak(runConvergenceHistory)).toBeGreaterThan(0)
  })

  it(`P4: presence histories from seed ${FIRST}`, async () => {
    expect(await soak(runPresenceHistory)).toBeGreaterThan(0)
  })
})
