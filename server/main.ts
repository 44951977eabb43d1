#!/usr/bin/env node
import type { Logger } from 'pino'
import { InvalidOptionError } from '../shared/errors.ts'
import type { Announcement } from './cli/banner.ts'
import { banner, warnings } from './cli/banner.ts'
import { readCommandLine, UsageError } from './cli/program.ts'
import { Shutdown } from './cli/shutdown.ts'
import { describeStartFailure } from './cli/startFailure.ts'
import { systemClock } from './clock.ts'
import { createLogger, resolveFormat, standardOutput } from './log.ts'
import type { ParsedOptions } from './options/parse.ts'
import { parseOptions } from './options/parse.ts'
import { packageVersion } from './package.ts'
import { createServer } from './server.ts'

/** The program was called wrongly: nothing was started. */
const usageExitCode = 2

async function main(args: readonly string[]): Promise<void> {
  const parsed = readArguments(args)
  if (parsed !== undefined) await serve(parsed)
}

function readArguments(args: readonly string[]): ParsedOptions | undefined {
  try {
    const width = process.stdout.isTTY ? process.stdout.columns : 120
    const request = readCommandLine(args, packageVersion, { out: (text) => process.stdout.write(text), width })
    return request.command === 'serve' ? parseOptions({ flags: request.flags, env: process.env }) : undefined
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof InvalidOptionError)) throw error
    complain(error.message)
    process.exitCode = usageExitCode
    return undefined
  }
}

async function serve(parsed: ParsedOptions): Promise<void> {
  const target = standardOutput()
  const logger = createLogger(parsed.options, target)
  let shutdown: Shutdown | undefined
  try {
    const server = createServer({ ...parsed.options, logger, processMetrics: true })
    shutdown = new Shutdown({ ...shutdownParts(parsed, logger), server })
    superviseProcess(shutdown)
    const listening = await server.listen()
    const asBanner = resolveFormat(parsed.options.logFormat, target) === 'pretty'
    announce({ version: packageVersion, options: parsed.options, listening }, logger, asBanner)
  } catch (error) {
    // Stopped while still starting: how that ends is decided there.
    if (shutdown?.stopping === true) return
    logger.debug({ err: error }, 'could not start')
    complain(describeStartFailure(error, parsed))
    process.exit(1)
  }
}

function shutdownParts({ options }: ParsedOptions, logger: Logger) {
  const exit = (code: number): void => {
    process.exit(code)
  }
  return { logger, clock: systemClock, drainSeconds: options.drainSeconds, exit }
}

function superviseProcess(shutdown: Shutdown): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      shutdown.signal(signal)
    })
  }
  process.on('uncaughtException', (error) => {
    shutdown.crash(error)
  })
  process.on('unhandledRejection', (reason) => {
    shutdown.crash(reason)
  })
}

function announce(announcement: Announcement, logger: Logger, asBanner: boolean): void {
  const { options, listening, version } = announcement
  if (asBanner) {
    process.stdout.write(banner(announcement))
    return
  }
  const { dataDir, durability } = options
  logger.info({ ...listening, dataDir, durability, authentication: 'off', version }, 'listening')
  for (const warning of warnings(options, listening)) logger.warn(warning)
}

function complain(sentence: string): void {
  process.stderr.write(`scriptorium: ${sentence}\n`)
}

await main(process.argv.slice(2))
