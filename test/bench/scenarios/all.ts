import { clients } from './clients.ts'
import { crowd } from './crowd.ts'
import { cursors } from './cursors.ts'
import { documents } from './documents.ts'
import { herd } from './herd.ts'
import { hops } from './hops.ts'
import { idle } from './idle.ts'
import { idle3 } from './idle3.ts'
import { ingest } from './ingest.ts'
import { kill } from './kill.ts'
import { nodes3 } from './nodes3.ts'
import { pairs } from './pairs.ts'
import { quiet } from './quiet.ts'
import { reconnect } from './reconnect.ts'
import { room200 } from './room200.ts'
import { room50 } from './room50.ts'
import type { Scenario } from './scenario.ts'
import { slowreader } from './slowreader.ts'
import { workers } from './workers.ts'

/** One server process and its clients. In the order in which they run and are reported. */
const single: readonly Scenario[] = [
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

/** Several processes of this server: on several cores, and around Redis. */
const several: readonly Scenario[] = [workers, hops, documents, nodes3, idle3]

/** The client's library beside others, all with our server. */
const client: readonly Scenario[] = [clients, herd]

/** What is run and reported together; `single` is what runs when nothing else is asked for. */
export const groups = { single, several, client } as const

export type GroupName = keyof typeof groups

export const scenarios: readonly Scenario[] = [...single, ...several, ...client]
