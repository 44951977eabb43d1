import { InvalidOptionError } from '../../shared/errors.ts'
import type { OptionName, Options, OptionSpec } from './table.ts'
import { optionNames, optionTable } from './table.ts'

/** What the user wrote, still as text, by option; switches arrive from commander as booleans. */
export type Flags = Readonly<Partial<Record<OptionName, string | boolean>>>
export type Environment = Readonly<Record<string, string | undefined>>

export interface ParsedOptions {
  readonly options: Options
  /** Where each value came from, as the user wrote it: `--port`, `PORT`, or `default`. */
  readonly sources: Readonly<Record<OptionName, string>>
}

interface Found {
  readonly source: string
  readonly value: unknown
}

/**
 * Flag before environment before default. An empty environment variable counts as not set: `PORT=` in a compose file
 * means "no opinion".
 *
 * @throws InvalidOptionError whose message names the flag or the variable that holds the wrong value
 */
export function parseOptions(input: { readonly flags: Flags; readonly env: Environment }): ParsedOptions {
  const values: Partial<Record<OptionName, unknown>> = {}
  const sources: Partial<Record<OptionName, string>> = {}
  for (const name of optionNames) {
    const found = find(name, input.flags, input.env)
    values[name] = check(name, found)
    sources[name] = found.source
  }
  const options = values as Options
  checkTogether(options, sources.archive ?? 'archive')
  return { options, sources: sources as Record<OptionName, string> }
}

/**
 * Completes and checks what an embedding program passes; `undefined` means the default.
 *
 * @throws InvalidOptionError
 */
export function completeOptions(given: Readonly<Partial<Options>>): Options {
  const values: Partial<Record<OptionName, unknown>> = {}
  for (const name of optionNames) {
    const value = given[name]
    values[name] =
      value === undefined ? optionTable[name].default : check(name, { source: `The option ${name}`, value })
  }
  const options = values as Options
  checkTogether(options, 'The option archive')
  return options
}

/** What each option cannot know by itself. */
function checkTogether({ redis, archive }: Options, archiveSource: string): void {
  if (archive === '' || redis !== '') return
  throw new InvalidOptionError('archive', `${archiveSource} is for documents in Redis: name one with --redis as well.`)
}

/** How the flag is named on the command line: `--port <number>` is `--port`, `[dir]` is itself. */
function flagName(spec: OptionSpec): string {
  return spec.flag.split(' ')[0] ?? spec.flag
}

function find(name: OptionName, flags: Flags, env: Environment): Found {
  const spec: OptionSpec = optionTable[name]
  const flag = flags[name]
  if (flag !== undefined) return { source: flagName(spec), value: read(spec, flag) }
  const variable = spec.env.find((candidate) => (env[candidate] ?? '') !== '')
  if (variable !== undefined) return { source: variable, value: read(spec, env[variable] ?? '') }
  return { source: 'default', value: spec.default }
}

function read(spec: OptionSpec, written: string | boolean): unknown {
  return typeof written === 'string' ? spec.kind.fromText(written) : written
}

function check(name: OptionName, found: Found): unknown {
  const spec: OptionSpec = optionTable[name]
  const result = spec.kind.schema.safeParse(found.value)
  if (result.success) return result.data
  const instead = spec.kind.secret === true ? '' : `, not ${quoted(found.value)}`
  throw new InvalidOptionError(name, `${found.source} must be ${spec.kind.expects}${instead}.`)
}

/** What was written, on one line and not endless: it goes to a terminal. */
function quoted(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
