import { typing } from '../load/typing.ts'
import { roomMetrics, roomOutcome } from './room.ts'
import type { Scenario } from './scenario.ts'

export const room50: Scenario = {
  name: 'room50',
  title: 'one room, 50 people each typing 5 times a second',
  seconds: 8,
  metrics: roomMetrics({ cpu: [{ kind: 'ratio', value: 0.4 }], p50: [{ kind: 'atMost', value: 10 }] }),
  run: async (context) =>
    roomOutcome(await typing(context, { rooms: 1, people: 50, editsPerSecond: 5, warmupSeconds: 2 })),
}
