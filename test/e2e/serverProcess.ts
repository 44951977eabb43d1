import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'

const MAIN = fileURLToPath(new URL('../../dist/bin/scriptorium.js', import.meta.url))
/** On a machine that is busy with something else, too. */
const READY_WITHIN_MS = 60_000

/** The built server as its own process, so that it can be killed like one. */
export interface ServerProcess {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  /** SIGKILL: no handler runs, nothing is flushed. Resolves when the process is gone. */
  kill(): Promise<void>
}

/** Starts `scriptorium serve <directory>` and resolves when it reports ready. */
export async function startServerProcess(directory: string, port: number): Promise<ServerProcess> {
  if (!existsSync(MAIN)) throw new Error('dist/bin/scriptorium.js is missing: run `npm run build` first')
  const child = spawn(process.execPath, [MAIN, 'serve', directory, '--port', String(port)], { stdio: 'pipe' })
  let output = ''
  const collect = (chunk: Buffer): void => {
    output += chunk.toString()
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const origin = `http://127.0.0.1:${String(port)}`
  try {
    await vi.waitFor(() => probe(child, origin), { timeout: READY_WITHIN_MS, interval: 50 })
  } catch (error) {
    await kill(child)
    throw new Error(`The server did not become ready. It printed:\n${output}`, { cause: error })
  }
  return { origin, kill: () => kill(child) }
}

async function probe(child: ChildProcess, origin: string): Promise<void> {
  if (hasEnded(child)) throw new Error(`The server ended with exit code ${String(child.exitCode)}`)
  const response = await fetch(`${origin}/readyz`)
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`/readyz answered ${String(response.status)}`)
}

async function kill(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
