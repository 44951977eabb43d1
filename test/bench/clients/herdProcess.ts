import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { owned } from '../servers/children.ts'
import type { ClientName } from './clientName.ts'
import type { HerdCommand, HerdReport } from './herdMessages.ts'

/** A part of the herd. */
export class HerdProcess {
  private readonly child: ChildProcess
  private readonly exited: Promise<void>

  constructor(name: ClientName) {
    this.child = fork(join(import.meta.dirname, 'herd.ts'), [name], { execArgv: process.execArgv })
    this.exited = owned(this.child)
  }

  async run(command: HerdCommand): Promise<HerdReport> {
    const ended = new AbortController()
    void this.exited.then(() => ended.abort())
    const answer = once(this.child, 'message', { signal: ended.signal })
    this.child.send(command)
    const [report] = (await answer) as [HerdReport]
    return report
  }

  async stop(): Promise<void> {
    this.child.disconnect()
    await this.exited
  }
}
