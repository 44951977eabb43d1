import fc from 'fast-check'
import { describe, it } from 'vitest'
import { pipelineCommands } from './pipelineCommands.ts'
import { fromEnvironment } from './random.ts'
import { Room } from './room.ts'
import { toSession } from './wirings.ts'
import { World } from './world.ts'

const RUNS = fromEnvironment('MODEL_RUNS', 400)
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
  room.client(0).connect()
  room.client(1).connect()
  try {
    await fc.asyncModelRun(() => ({ model: {}, real: room }), commands)
    await room.end()
  } finally {
    room.destroy()
  }
}
