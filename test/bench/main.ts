import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { runWorker, type RunResult } from './load/runWorker.ts'
import { machineLine } from './measure/machine.ts'
import { reportJson, reportMarkdown, scenarioMarkdown, type Column, type ScenarioReport } from './measure/report.ts'
import type { Figures } from './measure/verdict.ts'
import { groups, scenarios, type GroupName } from './scenarios/all.ts'
import { check, type Outcome, type Scenario } from './scenarios/scenario.ts'
import { installPeers } from './servers/install.ts'
import { kinds } from './servers/kinds.ts'
import type { ServerKind, ServerName } from './servers/serverKind.ts'

interface Options {
  readonly only: readonly Scenario[]
  readonly servers: readonly ServerKind[]
  readonly seconds: number | null
  readonly rounds: number
  readonly data: string
}

/** As commander leaves them. */
type Given = Omit<Partial<Options>, 'only'> &
  Pick<Options, 'rounds' | 'data'> & { readonly only?: readonly (readonly Scenario[])[] }

type ServerRuns = readonly { readonly server: ServerName; readonly result: RunResult }[]

function out(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** A list option: every name must be one of `known`. */
function listOf<T>(known: ReadonlyMap<string, T>): (value: string) => T[] {
  return (value) =>
    value.split(',').map((name) => {
      const found = known.get(name.trim())
      if (found === undefined) throw new InvalidArgumentError(`Known: ${[...known.keys()].join(', ')}.`)
      return found
    })
}

function positive(value: string): number {
  const number = Number(value)
  if (!(number > 0)) throw new InvalidArgumentError('A number above 0, please.')
  return number
}

function parse(argv: readonly string[]): Options {
  const scenarioNames = new Map<string, readonly Scenario[]>([
    ...Object.entries(groups),
    ...scenarios.map((one): [string, readonly Scenario[]] => [one.name, [one]]),
  ])
  const serverNames = new Map<string, ServerKind>(Object.entries(kinds))
  const program = new Command('npm run bench --')
    .description(
      'Measures this server and its peers under the same load, one after the other. Each group takes about 15 minutes.',
    )
    .option('--only <names>', 'scenarios or groups, separated by commas (default: single)', listOf(scenarioNames))
    .option(
      '--servers <names>',
      `${[...serverNames.keys()].join(', ')} (default: all but the last, which drops frames and must fail)`,
      listOf(serverNames),
    )
    .option('--seconds <number>', 'length of each measured part (default: what the scenario says)', positive)
    .option('--rounds <number>', 'runs of each scenario, servers taking turns; the table has the medians', positive, 1)
    .option('--data <directory>', 'where the servers keep their data meanwhile; on a real disk, please', tmpdir())
    .addHelpText('after', Object.entries(groups).map(groupHelp).join(''))
  const given = program.parse(argv).opts<Given>()
  const servers = [kinds.ours, kinds['y-websocket'], kinds.hocuspocus]
  return { servers, seconds: null, ...given, only: given.only?.flat() ?? groups.single }
}

function groupHelp([group, members]: readonly [string, readonly Scenario[]]): string {
  const lines = members.map(({ name, title }) => `  ${name.padEnd(11)} ${title}\n`)
  return `\nGroup ${group}:\n${lines.join('')}`
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

function outcomesOf(runs: ServerRuns): { server: ServerName; outcome: Outcome }[] {
  return runs.flatMap(({ server, result }) => (result.ok ? [{ server, outcome: result.outcome }] : []))
}

/** What a column's runs found, or in a joint scenario what ours found of it. */
function valuesOf(runs: ServerRuns, column: ServerName): Outcome['values'][] {
  return outcomesOf(runs).flatMap(({ server, outcome }) => {
    const values = server === column ? outcome.values : outcome.others?.[column]
    return values === undefined ? [] : [values]
  })
}

/** Which servers a scenario is run with, and what its table calls them. */
function columnsOf({ columns, isJoint }: Scenario, servers: readonly ServerKind[]): readonly Column[] {
  if (columns === undefined) return servers
  if (isJoint === true) return Object.values(kinds).flatMap(({ name }) => columnOf(columns, name))
  return servers.flatMap(({ name }) => columnOf(columns, name))
}

function columnOf(columns: NonNullable<Scenario['columns']>, name: ServerName): Column[] {
  const title = columns[name]
  return title === undefined ? [] : [{ name, title }]
}

/** The servers whose processes a scenario needs. */
function serversOf(scenario: Scenario, servers: readonly ServerKind[]): readonly ServerName[] {
  return scenario.isJoint === true ? ['ours'] : columnsOf(scenario, servers).map(({ name }) => name)
}

function summarise(scenario: Scenario, columns: readonly Column[], runs: ServerRuns): ScenarioReport {
  const figures: Record<string, Figures> = {}
  for (const { id } of scenario.metrics) {
    const own: Partial<Record<ServerName, number>> = {}
    for (const { name } of columns) {
      const values = valuesOf(runs, name).map((found) => found[id] ?? Number.NaN)
      if (values.length > 0) own[name] = median(values)
    }
    figures[id] = own
  }
  const checks = runs.flatMap(({ server, result }) =>
    result.ok
      ? result.outcome.checks.map((one) => ({ ...one, server }))
      : [{ ...check('the scenario ran to its end', false, result.reason.split('\n').slice(0, 2).join(' ')), server }],
  )
  const notes = outcomesOf(runs).flatMap(({ outcome }) => outcome.notes ?? [])
  return { name: scenario.name, title: scenario.title, columns, metrics: scenario.metrics, figures, checks, notes }
}

async function runScenario(scenario: Scenario, options: Options): Promise<ScenarioReport> {
  const columns = columnsOf(scenario, options.servers)
  const runs: { server: ServerName; result: RunResult }[] = []
  for (let round = 0; round < options.rounds; round++) {
    for (const name of serversOf(scenario, options.servers)) {
      const work = { scenario: scenario.name, server: name, seconds: options.seconds, dataRoot: options.data }
      const result = await runWorker(work, (text) => {
        out(`  [${scenario.name} · ${name}] ${text}`)
      })
      if (!result.ok) out(`  [${scenario.name} · ${name}] FAILED: ${result.reason}`)
      runs.push({ server: name, result })
    }
  }
  return summarise(scenario, columns, runs)
}

/** Peers that cannot be installed are left out, said so; without ours there is nothing to measure. */
async function available({ only, servers }: Options): Promise<readonly ServerKind[]> {
  const needed = new Set(only.flatMap((scenario) => serversOf(scenario, servers)))
  const needsPeers = needed.has('y-websocket') || needed.has('hocuspocus')
  const problem = needsPeers ? await installPeers(out) : null
  if (problem !== null) out(`The peers could not be installed (${problem}): measuring without them.`)
  return servers.filter((kind) => {
    const { name } = kind
    const entry = kind.command('', 0).args.find((arg) => arg.endsWith('js')) ?? ''
    if (!needed.has(name)) return false
    const there = name === 'lossy-relay' || (existsSync(entry) && (name === 'ours' || problem === null))
    if (!there) out(`${name}: left out, ${entry} is not there or not installed`)
    return there
  })
}

function groupOf(scenario: Scenario): GroupName {
  const found = Object.entries(groups).find(([, members]) => members.includes(scenario))
  return (found?.[0] ?? 'single') as GroupName
}

/** After every scenario, so that an interrupted run leaves what it has. */
async function save(group: GroupName, machine: string, reports: readonly ScenarioReport[]): Promise<void> {
  const members = new Set(groups[group].map(({ name }) => name))
  const report = { machine, scenarios: reports.filter(({ name }) => members.has(name)) }
  const file = join(import.meta.dirname, group === 'single' ? 'results' : `results.${group}`)
  await writeFile(`${file}.md`, reportMarkdown(report))
  await writeFile(`${file}.json`, reportJson(report))
}

async function main(): Promise<void> {
  const asked = parse(process.argv)
  const options = { ...asked, servers: await available(asked) }
  const machine = machineLine(options.data)
  out(machine)
  const reports: ScenarioReport[] = []
  const started = performance.now()
  for (const scenario of options.only) {
    out(`\n${scenario.name}: ${scenario.title} (${Math.round((performance.now() - started) / 1000)} s so far)`)
    const report = await runScenario(scenario, options)
    reports.push(report)
    out(`\n${scenarioMarkdown(report)}`)
    await save(groupOf(scenario), machine, reports)
  }
  const failed = reports.flatMap(({ checks }) => checks).filter(({ ok, server }) => server === 'ours' && !ok)
  out(`${Math.round((performance.now() - started) / 1000)} s; written to test/bench/results.*`)
  if (failed.length > 0) out(`${failed.length} checks of our own server FAILED`)
  process.exitCode = failed.length > 0 || options.servers.length === 0 ? 1 : 0
}

await main()
