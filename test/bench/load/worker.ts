import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { scenarios } from '../scenarios/all.ts'
import { kinds } from '../servers/kinds.ts'
import type { FromWorker, ToWorker } from './messages.ts'

/**
 * The load generator: a process of its own that runs one scenario against one server (which it starts, as a further
 * process), reports, and ends. So that no run inherits the garbage of another.
 */
function report(message: FromWorker): void {
  process.send?.(message)
}

async function work({ scenario: name, server, seconds, dataRoot }: ToWorker): Promise<void> {
  const scenario = scenarios.find((one) => one.name === name)
  if (scenario === undefined) throw new Error(`no scenario ${name}`)
  const directory = mkdtempSync(join(dataRoot, `scriptorium-bench-${name}-`))
  // However this process ends: ServerProcess has killed its servers by then.
  process.on('exit', () => {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  const log = (text: string): void => {
    report({ type: 'log', text })
  }
  const outcome = await scenario.run({ kind: kinds[server], directory, seconds: seconds ?? scenario.seconds, log })
  report({ type: 'outcome', outcome })
}

process.on('disconnect', () => {
  process.exit(1)
})
process.on('SIGTERM', () => {
  process.exit(1)
})
process.once('message', (message: ToWorker) => {
  work(message)
    .catch((error: unknown) => {
      report({ type: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    })
    .finally(() => {
      // Lets the last message leave; open sockets and timers do not matter any more.
      process.removeAllListeners('disconnect')
      process.disconnect()
      setTimeout(() => process.exit(0), 100)
    })
})
