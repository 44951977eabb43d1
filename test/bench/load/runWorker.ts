import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Outcome } from '../scenarios/scenario.ts'
import type { FromWorker, ToWorker } from './messages.ts'

export type RunResult =
  { readonly ok: true; readonly outcome: Outcome } | { readonly ok: false; readonly reason: string }

/** Forks a load generator, has it do `work`, and waits for its report. Never rejects. */
export function runWorker(work: ToWorker, log: (text: string) => void): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = fork(join(import.meta.dirname, 'worker.ts'), {
      execArgv: [...process.execArgv, '--max-old-space-size=4096'],
    })
    let result: RunResult = { ok: false, reason: 'the load generator ended without a report' }
    child.on('message', (message: FromWorker) => {
      switch (message.type) {
        case 'log':
          log(message.text)
          break
        case 'outcome':
          result = { ok: true, outcome: message.outcome }
          break
        case 'failed':
          result = { ok: false, reason: message.reason }
          break
      }
    })
    child.once('error', (error) => {
      resolve({ ok: false, reason: error.message })
    })
    child.once('exit', () => {
      resolve(result)
    })
    child.send(work)
  })
}
