import { typing } from '../load/typing.ts'
import { roomMetrics, roomOutcome } from './room.ts'
import type { Scenario } from './scenario.ts'

export const room200: Scenario = {
  name: 'room200',
  title: 'one room, 200 people each typing 5 times a second',
  seconds: 8,
  metrics: roomMetrics({ cpu: [{ kind: 'ratio', value: 0.12 }], p99: [{ kind: 'atMost', value: 50 }] }),
  run: async (context) =>
    roomOutcome(await typing(context, { rooms: 1, people: 200, editsPerSecond: 5, warmupSeconds: 2 })),
}
