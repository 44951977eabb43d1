import fc from 'fast-check'
import { describe, it } from 'vitest'
import { pipelineCommands } from './pipelineCommands.ts'
import { fromEnvironment } from './random.ts'
import { Room } from './room.ts'
import { toSession } from './wirings.ts'
import { World } from './world.ts'

const RUNS = fromEnvironment('MODEL_RUNS', 150)
const SEED = fromEnvironment('MODEL_SEED', 20_261_120)

describe('the path of an edit, by model', () => {
  it(`P1, P2, D1-D10, S1-S7, L1-L4: ${RUNS} random histories lose nothing, show nothing early, and converge`, async () => {
    const property = fc.asyncProperty(fc.commands(pipelineCommands(), { maxCommands: 120, size: 'max' }), runHistory)
    await fc.assert(property, { numRuns: RUNS, seed: SEED })
  })
})

async function runHistory(commands: Iterable<fc.AsyncCommand<object, Room>>): Promise<void> {
  const world = new World({ maxPendingUpdatesPerSession: 8 })
  const room = new Room(world, (link, client) => toSession(world)(link, client), 4)
  try {
    await fc.asyncModelRun(() => ({ model: {}, real: room }), commands)
    await room.end()
    if (process.env['STATS']) { const g = (globalThis as any).stats ??= {}; for (const e of world.events) g[e.type] = (g[e.type] ?? 0) + 1; g.runs = (g.runs ?? 0) + 1; g.compactions = (g.compactions??0)+world.stored.compactions; const fs = await import('node:fs'); fs.writeFileSync('/tmp/stats.json', JSON.stringify(g)) }
  } finally {
    room.destroy()
  }
}
