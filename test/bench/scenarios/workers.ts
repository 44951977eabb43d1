import { join } from 'node:path'
import { documentOf, pour, type PourResult, type Supply } from '../load/pour.ts'
import { typedChunks } from '../load/typedFrames.ts'
import { withArguments } from '../servers/kinds.ts'
import type { Dialect } from '../wire/dialect.ts'
import {
  checksOf,
  generatorShare,
  type Metric,
  type Outcome,
  type RunContext,
  type Scenario,
  type Target,
} from './scenario.ts'

interface Load {
  readonly id: string
  readonly title: string
  readonly rooms: number
  readonly perChunk: number
  readonly window: number
  /** Edits of a room in a second, more than it can be relieved of. */
  readonly most: number
  readonly targets: readonly Target[]
}

/** In `bulk` the server parses, validates and merges; in `small` it commits and writes, and the disk has a share in it. */
const LOADS: readonly Load[] = [
  {
    id: 'bulk',
    title: '16 rooms, 4,096 edits of each under way',
    rooms: 16,
    perChunk: 256,
    window: 4096,
    most: 60_000,
    targets: [{ kind: 'atLeast', value: 1.6 }],
  },
  {
    id: 'small',
    title: '500 rooms, 4 edits of each under way',
    rooms: 500,
    perChunk: 1,
    window: 4,
    most: 250,
    targets: [],
  },
]
const SETUPS = [
  { id: 'One', title: 'one process', workers: 1 },
  { id: 'Two', title: 'two workers', workers: 2 },
] as const
/** Longer than the warm-up. */
const SPARE_SECONDS = 3

function supplyFor({ rooms, perChunk, window, most }: Load, seconds: number, dialect: Dialect): Supply {
  const chunks = Math.ceil(((seconds + SPARE_SECONDS) * most) / perChunk)
  const numbers = Array.from({ length: rooms }, (_, room) => room)
  const chunksOf = (room: number): Buffer[] =>
    typedChunks(room, { chunks, perChunk, dialect, document: documentOf(room) })
  return { rooms: numbers.map(chunksOf), perChunk, window }
}

function valuesOf(id: string, { delivered, serverCores, generator }: PourResult): Record<string, number> {
  return {
    [`${id}Delivered`]: delivered,
    [`${id}Cores`]: serverCores,
    [`${id}PerCore`]: delivered / serverCores,
    [`${id}Generator`]: generator,
  }
}

/** One load, in one process and in two workers. */
async function compare(context: RunContext, load: Load): Promise<Outcome> {
  const { kind, seconds, directory, log } = context
  log(`preparing edits: ${load.title}`)
  const supply = supplyFor(load, seconds, kind.dialect)
  const values: Record<string, number> = {}
  const checks = []
  for (const { id, title, workers } of SETUPS) {
    log(title)
    const own = { ...context, directory: join(directory, load.id + id) }
    const result = await pour(own, withArguments(kind, '--workers', String(workers)), supply)
    Object.assign(values, valuesOf(load.id + id, result))
    checks.push(...checksOf(`${load.title}, ${title}`, result.checks))
  }
  const figure = (name: string): number => values[load.id + name] ?? Number.NaN
  return { values: { ...values, [`${load.id}Ratio`]: figure('TwoDelivered') / figure('OneDelivered') }, checks }
}

async function run(context: RunContext): Promise<Outcome> {
  const outcomes: Outcome[] = []
  for (const load of LOADS) outcomes.push(await compare(context, load))
  return {
    values: Object.assign({}, ...outcomes.map(({ values }) => values)),
    checks: outcomes.flatMap(({ checks }) => checks),
  }
}

function rowsOf(prefix: string, title: string): readonly Metric[] {
  return [
    { id: `${prefix}Delivered`, title: `${title}: edits delivered per second`, unit: '/s', better: 'higher' },
    { id: `${prefix}Cores`, title: `${title}: CPU of the server`, unit: 'cores', better: 'lower' },
    { id: `${prefix}PerCore`, title: `${title}: edits delivered per second of CPU`, unit: '', better: 'higher' },
    { ...generatorShare, id: `${prefix}Generator`, title: `${title}: ${generatorShare.title}` },
  ]
}

const metrics = LOADS.flatMap(({ id: load, title: what, targets }): readonly Metric[] => {
  const rows = SETUPS.flatMap(({ id, title }) => rowsOf(load + id, `${what}; ${title}`))
  const title = `${what}: two workers ÷ one process`
  return rows.concat({ id: `${load}Ratio`, title, unit: '', better: 'higher', targets })
})

export const workers: Scenario = {
  name: 'workers',
  title:
    'rooms in which one writes as fast as the other reads: one server process, and two workers, on the same machine',
  columns: { ours: 'Scriptorium' },
  seconds: 6,
  metrics,
  run,
}
