import type { Logger } from 'pino'
import type { Clock } from './clock.ts'
import type { Observer, ServerEvent } from './observer.ts'

/** Lines per second and kind of event; what exceeds it is counted into the next line that gets through (C76). */
const defaultLinesPerSecond = 5

type Level = 'error' | 'warn' | 'info' | 'debug'

interface Line {
  readonly level: Level
  /** What shares one budget: never derived from what a client sends. */
  readonly kind: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly message: string
}

/** Writes what an operator wants to know; a flood of one kind of event cannot fill the disk or drown the others. */
export function createLogObserver(
  logger: Logger,
  clock: Pick<Clock, 'now'>,
  linesPerSecond: number = defaultLinesPerSecond,
): Observer {
  const sampler = new Sampler(clock, linesPerSecond)
  return {
    observe: (event) => {
      const line = describe(event)
      if (line === undefined || !logger.isLevelEnabled(line.level)) return
      const suppressed = sampler.admit(line.kind)
      if (suppressed === undefined) return
      logger[line.level](suppressed === 0 ? line.fields : { ...line.fields, suppressed }, line.message)
    },
  }
}

interface Budget {
  windowStart: number
  written: number
  suppressed: number
}

class Sampler {
  readonly #clock: Pick<Clock, 'now'>
  readonly #linesPerSecond: number
  readonly #budgets = new Map<string, Budget>()

  constructor(clock: Pick<Clock, 'now'>, linesPerSecond: number) {
    this.#clock = clock
    this.#linesPerSecond = linesPerSecond
  }

  /** How many lines of this kind were left out since the last one, or undefined when this one is to be left out too. */
  admit(kind: string): number | undefined {
    const budget = this.#current(kind)
    if (budget.written >= this.#linesPerSecond) {
      budget.suppressed += 1
      return undefined
    }
    const { suppressed } = budget
    budget.written += 1
    budget.suppressed = 0
    return suppressed
  }

  #current(kind: string): Budget {
    const now = this.#clock.now()
    const budget = this.#budgets.get(kind) ?? { windowStart: now, written: 0, suppressed: 0 }
    if (now - budget.windowStart >= 1000) {
      budget.windowStart = now
      budget.written = 0
    }
    this.#budgets.set(kind, budget)
    return budget
  }
}

function describe(event: ServerEvent): Line | undefined {
  // The table's type pairs every describer with its own event; the compiler cannot follow that through an index.
  return (describers[event.type] as (event: ServerEvent) => Line | undefined)(event)
}

type EventType = ServerEvent['type']

const notLogged = (): undefined => undefined

/** One entry for every event there is: a new one does not compile until somebody decides what its line says. */
const describers: {
  readonly [Type in EventType]: (event: Extract<ServerEvent, { type: Type }>) => Line | undefined
} = {
  storageFailing: ({ type, error }) => ({
    level: 'error',
    kind: type,
    fields: { err: error },
    message: 'storage is failing: nothing is acknowledged until it works again',
  }),
  storageRecovered: ({ type }) => ({ level: 'info', kind: type, fields: {}, message: 'storage works again' }),
  loadFailed: (event) =>
    failure('error', event, 'a document could not be loaded; it is tried again while anybody waits'),
  commitFailed: (event) => failure('error', event, 'edits could not be stored; it is tried again'),
  compactionFailed: (event) => failure('warn', event, 'compaction failed; the log is kept as it is'),
  quarantined: ({ type, document, file, reason }) => ({
    level: 'error',
    kind: type,
    fields: { document, file, reason },
    message: 'unreadable data was copied aside; what is valid is served',
  }),
  poisoned: (event) => failure('error', event, 'an update broke its document, which was loaded again'),
  loaded: ({ type, document, damaged }) => {
    const message = 'a document is damaged: what is valid is served, the rest is quarantined'
    return damaged ? { level: 'error', kind: type, fields: { document }, message } : undefined
  },
  connected: (event) => traced(event, 'connected'),
  disconnected: (event) => traced(event, 'disconnected'),
  ignored: (event) => traced(event, 'ignored a message of unknown type'),
  lagging: (event) => traced(event, 'a reader lags behind'),
  refused: ({ type, ...fields }) => ({
    level: 'warn',
    kind: `${type} ${String(fields.status)}`,
    fields,
    message: 'refused a connection',
  }),
  // No stack: what a client sent wrongly is not ours to trace.
  rejected: ({ type, error, code, remote }) => ({
    level: 'warn',
    kind: `${type} ${error.code}`,
    fields: { remote, code, error: error.code, reason: error.message },
    message: 'closed a connection for what it sent',
  }),
  stale: (event) => traced(event, 'the log is read again'),
  reconciled: ({ type, ...fields }) => ({
    level: fields.restored > 0 ? 'warn' : 'info',
    kind: type,
    fields,
    message: 'compared with the log, read again; what it had lost was given back',
  }),
  badMessage: ({ type, ...fields }) => ({
    level: 'warn',
    kind: type,
    fields,
    message: 'ignored what another node is said to have said',
  }),
  poisonMessage: ({ type, ...fields }) => ({
    level: 'warn',
    kind: type,
    fields,
    message: 'ignored what is not a message of ours on the channel of a document',
  }),
  replicated: notLogged,
  unloaded: notLogged,
  committed: notLogged,
  compacted: notLogged,
}

function traced({ type, ...fields }: { readonly type: EventType }, message: string): Line {
  return { level: 'debug', kind: type, fields, message }
}

interface Failure {
  readonly type: EventType
  readonly document: string
  readonly error: Error
  /** Milliseconds. */
  readonly retryIn?: number
}

function failure(level: Level, { type, document, error, retryIn }: Failure, message: string): Line {
  const retry = retryIn === undefined ? {} : { retryInMs: retryIn }
  return { level, kind: type, fields: { document, ...retry, err: error }, message }
}
