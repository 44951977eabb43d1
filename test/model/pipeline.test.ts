import { describe, it } from 'vitest'
import { runPipelineHistories } from './pipelineCommands.ts'
import { fromEnvironment } from './random.ts'

/** `MODEL_SEED=n` and the `path` that fast-check prints replay a failure. */
const RUNS = fromEnvironment('MODEL_RUNS', 400)
const SEED = fromEnvironment('MODEL_SEED', 20_261_120)

describe('the path of an edit, by model', () => {
  it(
    `P1, P2, D1-D10, S1-S7, L1-L4: ${RUNS} random histories lose nothing, show nothing early, and converge`,
    { timeout: 300_000 },
    async () => {
      await runPipelineHistories({ numRuns: RUNS, seed: SEED })
    },
  )
})
