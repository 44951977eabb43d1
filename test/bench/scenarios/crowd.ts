import { crowdUpdate } from '../load/typists.ts'
import { typing } from '../load/typing.ts'
import { roomMetrics, roomOutcome } from './room.ts'
import type { Scenario } from './scenario.ts'

const WRITERS_BEFORE = 2000

export const crowd: Scenario = {
  name: 'crowd',
  title: 'a room in which 2,000 client ids have written before; 20 people typing 5 times a second',
  seconds: 8,
  metrics: roomMetrics({ cpuPerEdit: [{ kind: 'ratio', value: 0.4 }] }),
  run: async (context) => {
    const preload = crowdUpdate(WRITERS_BEFORE)
    const plan = { rooms: 1, people: 20, editsPerSecond: 5, warmupSeconds: 2, preload }
    return roomOutcome(await typing(context, plan))
  },
}
