import { describe, it } from 'vitest'
import { forSeeds, fromEnvironment } from '../model/random.ts'
import { runConvergenceHistory } from './convergenceHistory.ts'

/** About ten seconds. `FUZZ_SEED=n FUZZ_RUNS=1` replays one history. */
const RUNS = fromEnvironment('FUZZ_RUNS', 250)
const FIRST = fromEnvironment('FUZZ_SEED', 1)

describe('convergence, by fuzzing', () => {
  it(`P1, P2, D2-D10, S1-S5: ${RUNS} seeded histories through both protocols end with all documents equal`, async () => {
    await forSeeds({ name: 'convergence', runs: RUNS, first: FIRST }, runConvergenceHistory)
  })
})
