import { clientNames, clientTitles, type ClientName } from '../clients/clientName.ts'
import { loads, type Load } from '../clients/loads.ts'
import { Rounds, type Sample, type Samples } from '../clients/rounds.ts'
import { spreadMarkdown } from '../clients/spread.ts'
import type { NumberList } from '../measure/numbers.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import {
  check,
  type Check,
  type Metric,
  type Outcome,
  type RunContext,
  type Scenario,
  type Target,
} from './scenario.ts'

const WARMUP_ROUNDS = 20
const LEAST_ROUNDS = 3
const FULL_BYTES = 90_000
/** No worse than the better of the two. */
const NO_WORSE: readonly Target[] = [{ kind: 'ratio', value: 1 }]

function sampleOf(samples: Samples, { id }: Load, name: ClientName | 'none'): Sample {
  const sample = samples.get(id)?.get(name)
  if (sample === undefined) throw new Error(`nothing was measured of ${name} under ${id}`)
  return sample
}

/**
 * The mean of the lower half: others on the machine, and a cold cache, only ever add to what is measured. The lower
 * quartile alone, one round of twelve, differed by up to 20 % where three clients do the same.
 */
function quiet(values: NumberList): number {
  return values.meanOfLowerHalf()
}

/** What is the client's own: Yjs, timers and the process itself are subtracted. */
function valuesOf(samples: Samples, name: ClientName): Record<string, number> {
  const values: Record<string, number> = {}
  for (const load of loads) {
    const sample = sampleOf(samples, load, name)
    const total = quiet(sample.cpu)
    if (load.task.type !== 'read') values[`${load.id}Own`] = total - quiet(sampleOf(samples, load, 'none').cpu)
    values[`${load.id}Cpu`] = total
    values[`${load.id}Time`] = quiet(sample.time)
    for (const what of ['bytesOut', 'framesOut', 'bytesIn', 'framesIn'] as const)
      values[load.id + what] = sample.median(what)
  }
  return values
}

function checksOf(samples: Samples): Check[] {
  return clientNames.flatMap((name) =>
    loads.flatMap((load) => {
      const sample = sampleOf(samples, load, name)
      const moved = sample.median(load.id === 'full' ? 'bytesIn' : 'framesIn')
      const least = load.id === 'full' ? FULL_BYTES : 0
      return [
        check(`${load.title}, ${name}: something was received`, moved > least, `${moved} per ${load.unit}`),
        check(
          `${load.title}, ${name}: its compiled code was kept`,
          sample.isUndisturbed,
          'whole collections of the heap',
        ),
      ]
    }),
  )
}

async function run({ kind, directory, seconds, log }: RunContext): Promise<Outcome> {
  const server = await ServerProcess.start(kind, directory)
  const rounds = await Rounds.start(server.port)
  await rounds.warmUp(WARMUP_ROUNDS, log)
  const end = performance.now() + seconds * 1000
  let done = 0
  for (; done < LEAST_ROUNDS || performance.now() < end; done++) {
    await rounds.run()
    log(`round ${done + 1}, ${Math.max(0, Math.round((end - performance.now()) / 1000))} s left`)
  }
  await rounds.stop()
  await server.stop()
  const { samples } = rounds
  const others = { 'y-websocket': valuesOf(samples, 'y-websocket'), hocuspocus: valuesOf(samples, 'hocuspocus') }
  const notes = spreadMarkdown(samples, done)
  return { values: valuesOf(samples, 'ours'), others, checks: checksOf(samples), notes }
}

function rowsOf({ id, title, task, unit, direction }: Load): Metric[] {
  const [mine, theirs] = direction === 'out' ? (['out', 'in'] as const) : (['in', 'out'] as const)
  const row = (key: string, what: string, of: string, isAimedAt: boolean): Metric => ({
    id: id + key,
    title: `${title}: ${what}`,
    unit: of,
    better: 'lower',
    ...(isAimedAt ? { targets: NO_WORSE } : {}),
  })
  const key = (what: 'bytes' | 'frames', way: 'in' | 'out'): string => `${what}${way === 'in' ? 'In' : 'Out'}`
  return [
    row('Cpu', `CPU per ${unit}, Yjs included`, 'µs', true),
    ...(task.type === 'read' ? [] : [row('Own', `CPU per ${unit}, without Yjs alone`, 'µs', false)]),
    ...(task.type === 'open' ? [row('Time', 'until synced', 'ms', true)] : []),
    // Of ten people, how much comes together is chance, and the server's doing.
    row(
      key('bytes', mine),
      `bytes ${mine} per ${unit}`,
      '',
      mine === 'out' || (task.type === 'read' && task.people === 1),
    ),
    row(key('frames', mine), `messages ${mine} per ${unit}`, '', mine === 'out'),
    row(key('bytes', theirs), `bytes ${theirs} per ${unit}`, '', false),
    row(key('frames', theirs), `messages ${theirs} per ${unit}`, '', false),
  ]
}

export const clients: Scenario = {
  name: 'clients',
  title: 'three client libraries take turns with our server, each in a process of its own',
  columns: clientTitles,
  isJoint: true,
  seconds: 480,
  metrics: loads.flatMap(rowsOf),
  run,
}
