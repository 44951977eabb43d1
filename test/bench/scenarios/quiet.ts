import { typing } from '../load/typing.ts'
import { roomMetrics, roomOutcome } from './room.ts'
import type { Scenario } from './scenario.ts'

export const quiet: Scenario = {
  name: 'quiet',
  title: 'two people in one quiet room, five edits a second each',
  seconds: 8,
  metrics: roomMetrics({ p50: [{ kind: 'margin', value: 1 }] }),
  run: async (context) =>
    roomOutcome(await typing(context, { rooms: 1, people: 2, editsPerSecond: 5, warmupSeconds: 2 })),
}
