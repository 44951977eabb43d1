#!/usr/bin/env node
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { InvalidOptionError } from '../shared/errors.ts'
import type { Announcement } from './cli/banner.ts'
import { banner, storagePlace, warnings } from './cli/banner.ts'
import { readCommandLine, UsageError } from './cli/program.ts'
import { Shutdown } from './cli/shutdown.ts'
import { describeStartFailure } from './cli/startFailure.ts'
import { systemClock } from './clock.ts'
import { createLogger, resolveFormat, standardOutput } from './log.ts'
import type { ParsedOptions } from './options/parse.ts'
import { parseOptions } from './options/parse.ts'
import type { Options } from './options/table.ts'
import { packageVersion } from './package.ts'
import { createServer } from './server.ts'
import { createPrimary, workerCount } from './workers/createPrimary.ts'
import { WORKER_ARGUMENT } from './workers/messages.ts'
import { runWorker } from './workers/worker.ts'

/** The program was called wrongly: nothing was started. */
const usageExitCode = 2

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === WORKER_ARGUMENT && process.send !== undefined) return runWorker()
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
    const options = { ...parsed.options, workers: workerCount(parsed.options.workers) }
    const server = composeServer(options, logger)
    shutdown = new Shutdown({ ...shutdownParts(parsed, logger), server })
    superviseProcess(shutdown)
    const listening = await server.listen()
    const asBanner = resolveFormat(parsed.options.logFormat, target) === 'pretty'
    announce({ version: packageVersion, options, listening }, logger, asBanner)
  } catch (error) {
    // Stopped while still starting: how that ends is decided there.
    if (shutdown?.stopping === true) return
    logger.debug({ err: error }, 'could not start')
    complain(describeStartFailure(error, parsed))
    process.exit(1)
  }
}

/** One process that does everything, or one that shares it out. */
function composeServer(options: Options & { readonly workers: number }, logger: Logger) {
  if (options.workers === 1) return createServer({ ...options, logger, processMetrics: true })
  return createPrimary(options, { entry: fileURLToPath(import.meta.url), logger })
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
  const { workers } = options
  if (asBanner) {
    process.stdout.write(banner(announcement))
    return
  }
  logger.info({ ...listening, documents: storagePlace(options), workers, authentication: 'off', version }, 'listening')
  for (const warning of warnings(options, listening)) logger.warn(warning)
}

function complain(sentence: string): void {
  process.stderr.write(`scriptorium: ${sentence}\n`)
}

await main(process.argv.slice(2))
