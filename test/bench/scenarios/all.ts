import { crowd } from './crowd.ts'
import { cursors } from './cursors.ts'
import { idle } from './idle.ts'
import { ingest } from './ingest.ts'
import { kill } from './kill.ts'
import { pairs } from './pairs.ts'
import { quiet } from './quiet.ts'
import { reconnect } from './reconnect.ts'
import { room200 } from './room200.ts'
import { room50 } from './room50.ts'
import type { Scenario } from './scenario.ts'
import { slowreader } from './slowreader.ts'

/** In the order in which they run and are reported. */
export const scenarios: readonly Scenario[] = [
  room200,
  room50,
  pairs,
  quiet,
  cursors,
  crowd,
  ingest,
  reconnect,
  idle,
  kill,
  slowreader,
]
