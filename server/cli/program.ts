import { Command, CommanderError, Option } from 'commander'
import { helpText } from '../options/describe.ts'
import type { Flags } from '../options/parse.ts'
import type { OptionName, OptionSpec } from '../options/table.ts'
import { optionNames, optionTable } from '../options/table.ts'

/** A way to call the program that it does not understand; the message is one sentence. */
export class UsageError extends Error {}

export interface ProgramOutput {
  readonly out: (text: string) => void
  readonly width: number
}

/** What a command line asks for; `none` when it asked for help or the version and has got it. */
export type Request = { readonly command: 'serve'; readonly flags: Flags } | { readonly command: 'none' }

/**
 * Reads the arguments (without node and script).
 *
 * @throws UsageError for an unknown command, flag or surplus argument
 */
export function readCommandLine(args: readonly string[], version: string, output: ProgramOutput): Request {
  let request: Request = { command: 'none' }
  const program = createProgram(version, output, (flags) => {
    request = { command: 'serve', flags }
  })
  try {
    program.parse([...args], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) throw new UsageError(sentence(error))
  }
  return request
}

function createProgram(version: string, output: ProgramOutput, serve: (flags: Flags) => void): Command {
  const program = new Command('scriptorium')
    .description('A collaboration server for Yjs documents.')
    .version(version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Print this help')
    .helpCommand(false)
    .exitOverride()
    // What is wrong with the call is thrown, and said once, by whoever called.
    .configureOutput({ writeOut: output.out, writeErr: () => undefined, getOutHelpWidth: () => output.width })
    .action(() => {
      throw new CommanderError(1, 'scriptorium.missingCommand', 'no command was given')
    })
  // Without this, an unknown command would be a surplus argument of the program itself.
  program.argument('[command]').usage('<command> [options]')
  program.hook('preAction', (_self, action) => {
    const [command] = action.args
    if (action !== program || command === undefined) return
    throw new CommanderError(1, 'commander.unknownCommand', `unknown command '${command}'`)
  })
  program.addCommand(serveCommand(program, serve))
  return program
}

function serveCommand(program: Command, serve: (flags: Flags) => void): Command {
  const command = new Command('serve').copyInheritedSettings(program).description('Start the server')
  for (const name of optionNames) {
    const spec: OptionSpec = optionTable[name]
    if (spec.flag.startsWith('[')) command.argument(spec.flag, helpText(spec))
    else for (const each of commanderOptions(spec)) command.addOption(each)
  }
  return command.action((directory: string | undefined) => {
    const flags: Partial<Record<OptionName, string | boolean>> = {}
    // Commander sets a default for `--no-x`; only what the user wrote may win over the environment.
    for (const name of optionNames) {
      if (command.getOptionValueSource(name) === 'cli') flags[name] = command.getOptionValue(name) as string | boolean
    }
    serve(directory === undefined ? flags : { ...flags, dataDir: directory })
  })
}

/** `--no-x` brings `--x` along, unlisted: only it can win over an environment that says "off". */
function commanderOptions(spec: OptionSpec): Option[] {
  const listed = new Option(spec.short === undefined ? spec.flag : `${spec.short}, ${spec.flag}`, helpText(spec))
  return spec.flag.startsWith('--no-') ? [listed, new Option(spec.flag.replace('--no-', '--')).hideHelp()] : [listed]
}

/** "error: unknown option '--prot'\n(Did you mean --port?)" becomes one sentence that says how to get help. */
function sentence(error: CommanderError): string {
  const [what = '', hint] = error.message.replace(/^error: /, '').split('\n')
  const guess = hint === undefined ? '' : ` ${hint}`
  return `${what.charAt(0).toUpperCase()}${what.slice(1)}${guess}; see scriptorium --help.`
}
