import { describe, it } from 'vitest'
import { fromEnvironment } from './random.ts'
import { runPipelineHistories } from './pipelineCommands.ts'

/** A new seed every time; fast-check prints it when a history fails. */
const SEED = fromEnvironment('MODEL_SEED', Math.floor(Math.random() * 0x4000_0000))
const RUNS = fromEnvironment('MODEL_RUNS', 6_000)

describe('the path of an edit, by model, for minutes', () => {
  it(`P1, P2: ${RUNS} histories from seed ${SEED}`, async () => {
    await runPipelineHistories({ numRuns: RUNS, seed: SEED })
  })
})
