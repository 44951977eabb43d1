import { expect, test } from 'vitest'
import { runKills } from './killRounds.ts'

const ROUNDS = 100
const TEST_MS = 1_200_000

test.each(['fsync', 'os'] as const)(
  `C77, C78, C87, P1: ${String(ROUNDS)} kills at random instants with durability %s`,
  { timeout: TEST_MS },
  async (durability) => {
    // A failure names this seed and its round.
    const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000)
    const report = await runKills({ rounds: ROUNDS, seed, durability })
    expect(report.promised, 'there was something to lose').toBeGreaterThan(1_000)
  },
)
