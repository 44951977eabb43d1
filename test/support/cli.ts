import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const entry = join(import.meta.dirname, '..', '..', 'dist', 'bin', 'scriptorium.js')

export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The real program, as built, in a process of its own. */
export class Cli {
  readonly child: ChildProcess
  readonly finished: Promise<Finished>
  readonly #output = { stdout: '', stderr: '' }
  readonly #lines: string[] = []
  readonly #watchers = new Set<() => void>()

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    if (!existsSync(entry)) throw new Error('dist/bin/scriptorium.js is missing; run npm run build first')
    // Nothing of the developer's own environment (PORT, HOST, …) may decide what a test sees.
    const clean = { PATH: process.env['PATH'] ?? '', ...env }
    this.child = spawn(process.execPath, [entry, ...args], { env: clean, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#collect('stdout')
    this.#collect('stderr')
    this.finished = once(this.child, 'close').then(([code]) => {
      this.#notify()
      return { code: code as number | null, ...this.#output }
    })
  }

  /** Resolves with the first line of standard output that matches, also one that was written before the call. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.#lines.find((line) => pattern.test(line))
      if (found !== undefined) return found
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`no line matched ${String(pattern)}: ${this.#dump()}`)
      await new Promise<void>((resolve) => this.#watchers.add(resolve))
    }
  }

  /** The JSON line that says where it listens. */
  async listening(): Promise<{ readonly url: string; readonly port: number }> {
    const parsed: unknown = JSON.parse(await this.line(/"msg":"listening"/))
    return parsed as { url: string; port: number }
  }

  /** Ends it at once if it still runs, and waits until it is gone. */
  async dispose(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.finished
  }

  #collect(name: 'stdout' | 'stderr'): void {
    const stream = this.child[name]
    if (stream === null) return
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      this.#output[name] += text
    })
    if (name === 'stderr') return
    createInterface({ input: stream }).on('line', (line) => {
      this.#lines.push(line)
      this.#notify()
    })
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher()
    this.#watchers.clear()
  }

  #dump(): string {
    return `${this.#output.stdout}${this.#output.stderr}`
  }
}
