import type { Target } from '../scenarios/scenario.ts'
import type { Task } from './subjectMessages.ts'

/** No worse than the better of the two. */
const NO_WORSE: readonly Target[] = [{ kind: 'ratio', value: 1 }]

/** One kind of work, in every round once for each client. */
export interface Load {
  readonly id: string
  readonly title: string
  readonly task: Task
  /** What the figures are divided by. */
  readonly units: number
  readonly unit: string
  /** Which way the traffic goes that is the client's own doing. */
  readonly direction: 'out' | 'in'
  readonly targets: readonly Target[]
}

function writing(id: string, title: string, task: Partial<Extract<Task, { type: 'write' }>>): Load {
  const whole = { type: 'write', turns: 100, perTurn: 1, everyMs: 20, hasCursor: false, ...task } as const
  return {
    id,
    title,
    task: whole,
    units: whole.turns * whole.perTurn,
    unit: 'edit',
    direction: 'out',
    targets: NO_WORSE,
  }
}

function reading(id: string, title: string, edits: number, everyMs: number): Load {
  const task = { type: 'read', edits, everyMs } as const
  return { id, title, task, units: edits, unit: 'edit', direction: 'in', targets: NO_WORSE }
}

function opening(id: string, title: string, content: 'empty' | 'full'): Load {
  const times = 25
  const task = { type: 'open', times, content } as const
  return { id, title, task, units: times, unit: 'opening', direction: 'out', targets: NO_WORSE }
}

export const loads: readonly Load[] = [
  writing('typing', 'local edits, one every 20 ms', {}),
  writing('cursor', 'local edits and the cursor, every 20 ms', { hasCursor: true }),
  writing('stream', 'local edits, one every 2 ms', { turns: 600, everyMs: 2 }),
  writing('burst', 'local edits, 100 in one turn, every 50 ms', { turns: 20, perTurn: 100, everyMs: 50 }),
  reading('remote', "another's edits, one every 20 ms", 100, 20),
  reading('remoteStream', "another's edits, one every 2 ms", 600, 2),
  opening('empty', 'opening an empty document', 'empty'),
  opening('full', 'opening a document of 100 kB', 'full'),
]
