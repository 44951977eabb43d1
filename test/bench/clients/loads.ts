import type { Task } from './subjectMessages.ts'

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
}

function writing(id: string, title: string, task: Partial<Extract<Task, { type: 'write' }>>): Load {
  const whole = { type: 'write', rooms: 20, turns: 400, perTurn: 1, everyMs: 1, hasCursor: false, ...task } as const
  return { id, title, task: whole, units: whole.turns * whole.perTurn, unit: 'edit', direction: 'out' }
}

type ReadTask = Extract<Task, { type: 'read' }>

function reading(id: string, title: string, how: Pick<ReadTask, 'rooms' | 'people' | 'edits'>): Load {
  return { id, title, task: { type: 'read', everyMs: 1, ...how }, units: how.edits, unit: 'edit', direction: 'in' }
}

function opening(id: string, title: string, content: 'empty' | 'full'): Load {
  const times = 20
  return { id, title, task: { type: 'open', times, content }, units: times, unit: 'opening', direction: 'out' }
}

/** With twenty rooms, each has an edit every 20 ms or more, and the process enough to do for its caches to stay warm. */
export const loads: readonly Load[] = [
  writing('typing', 'local edits, slow', {}),
  writing('cursor', 'local edits and cursor, slow', { hasCursor: true }),
  writing('stream', 'local edits, fast', { rooms: 1 }),
  writing('burst', 'local edits, 100 a turn', { rooms: 1, turns: 10, perTurn: 100, everyMs: 50 }),
  reading('remote', "others' edits, slow", { rooms: 20, people: 1, edits: 400 }),
  reading('remoteStream', "others' edits, fast, of ten people", { rooms: 1, people: 10, edits: 2000 }),
  opening('empty', 'empty document', 'empty'),
  opening('full', 'document of 100 kB', 'full'),
]
