import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { owned } from '../servers/children.ts'
import type { SubjectName } from './clientName.ts'
import type { Command, FromSubject, Reading } from './subjectMessages.ts'

/**
 * So that the heap is not collected as a whole, which it would be for its size or because the process is idle. That would
 * throw away the code V8 has compiled for documents that are closed by then, which is all of it: the next turns cost twice
 * as much, and it is a matter of chance whose they are. Who keeps a document open keeps the code as well.
 */
const keepsCode = ['--initial-old-space-size=1024', '--no-memory-reducer']
/** To look into a client: `BENCH_CLIENT_FLAGS=--cpu-prof`. */
const flags = process.env['BENCH_CLIENT_FLAGS']?.split(' ') ?? []

/** One client in a process of its own, so that the process's CPU is the client's. */
export class SubjectProcess {
  readonly name: SubjectName
  private readonly child: ChildProcess
  private readonly exited: Promise<void>

  private constructor(name: SubjectName) {
    this.name = name
    const execArgv = [...process.execArgv, '--expose-gc', ...keepsCode, ...flags]
    this.child = fork(join(import.meta.dirname, 'subject.ts'), [name], { execArgv })
    this.exited = owned(this.child)
  }

  static async start(name: SubjectName): Promise<SubjectProcess> {
    const subject = new SubjectProcess(name)
    await once(subject.child, 'message')
    return subject
  }

  /** @param whenReady what others do as soon as the subject waits for it */
  run(command: Command, whenReady: () => void = () => undefined): Promise<Reading> {
    return new Promise((resolve, reject) => {
      const { child, name } = this
      const gone = (): void => reject(new Error(`${name} has ended`))
      const listen = (message: FromSubject): void => {
        if (message.type === 'ready') return whenReady()
        child.off('message', listen)
        child.off('exit', gone)
        if (message.type === 'done') resolve(message.reading)
        else reject(new Error(`${name}: ${message.reason}`))
      }
      child.on('message', listen)
      child.once('exit', gone)
      child.send(command)
    })
  }

  /** It ends when nobody talks to it, and has then time to write a profile. */
  async stop(): Promise<void> {
    this.child.disconnect()
    await this.exited
  }
}
