import type { ClientClock } from '../environment.ts'

/** Time, as far as networks need it. */
export type Clock = Pick<ClientClock, 'now' | 'after'>
