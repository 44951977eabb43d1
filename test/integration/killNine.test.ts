import { expect, test } from 'vitest'
import { runKills } from './killRounds.ts'

// The two providers that live through all rounds add to `process` listeners and back-off: a minute is plenty.
const TEST_MS = 60_000

test(
  'C77, C78, C87, P1: 6 kills at random instants, fsync: what was acknowledged or seen is there, once; the rest comes back',
  { timeout: TEST_MS },
  async () => {
    const report = await runKills({ rounds: 6, seed: 20_260_101, durability: 'fsync' })
    expect(report.promised, 'there was something to lose').toBeGreaterThan(50)
  },
)
