import { typing } from '../load/typing.ts'
import { roomMetrics, roomOutcome } from './room.ts'
import type { Scenario } from './scenario.ts'

export const pairs: Scenario = {
  name: 'pairs',
  title: '1,000 documents of two people, each of them one edit every two seconds',
  seconds: 10,
  metrics: roomMetrics({
    cpu: [{ kind: 'ratio', value: 0.5 }],
    p50: [{ kind: 'atMost', value: 5 }],
    rss: [{ kind: 'ratio', value: 0.6 }],
  }),
  run: async (context) =>
    roomOutcome(await typing(context, { rooms: 1000, people: 2, editsPerSecond: 0.5, warmupSeconds: 4 })),
}
