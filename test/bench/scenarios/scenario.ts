import type { ServerKind, ServerName } from '../servers/serverKind.ts'

/**
 * What the project sets itself. `ratio`: at most `value` × the better peer in the same run. `margin`: at most `value`
 * more than the better peer.
 */
export interface Target {
  readonly kind: 'ratio' | 'margin' | 'atMost' | 'atLeast'
  readonly value: number
}

/** One row of the results table. */
export interface Metric {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /** All of them must hold. */
  readonly targets?: readonly Target[]
}

/** Something that must be true whatever the speed. For our server a failed one fails the benchmark. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

export interface Outcome {
  /** By metric id. */
  readonly values: Readonly<Record<string, number>>
  readonly checks: readonly Check[]
  /** Of a joint scenario: the values of the other columns. */
  readonly others?: Readonly<Partial<Record<ServerName, Readonly<Record<string, number>>>>>
  /** Markdown that follows the table. */
  readonly notes?: string
}

export interface RunContext {
  readonly kind: ServerKind
  /** An empty directory for this run. */
  readonly directory: string
  /** How long the measured part lasts, where a scenario has a duration. */
  readonly seconds: number
  readonly log: (text: string) => void
}

/** The servers a scenario is about, by name, and how its table calls each of them. */
type Columns = Readonly<Partial<Record<ServerName, string>>>

export interface Scenario {
  readonly name: string
  readonly title: string
  /** Default: every server, under its own title. */
  readonly columns?: Columns
  /** One run, with our server, has the figures of all columns. */
  readonly isJoint?: boolean
  /** Default of `RunContext.seconds`. */
  readonly seconds: number
  readonly metrics: readonly Metric[]
  run(context: RunContext): Promise<Outcome>
}

/** In every scenario: how much of a core the generator itself used. Near 1, it and not the server may be the limit. */
export const generatorShare: Metric = {
  id: 'generator',
  title: 'load generator, share of one core',
  unit: '',
  better: 'lower',
}

/** A check whose detail says what was found. */
export function check(name: string, ok: boolean, detail = ''): Check {
  return { name, ok, detail }
}

/** The checks of one part of a scenario. */
export function checksOf(part: string, checks: readonly Check[]): Check[] {
  return checks.map(({ name, ok, detail }) => check(`${part}: ${name}`, ok, detail))
}

export const MIB = 1024 * 1024
