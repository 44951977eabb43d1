import type { ChildProcess } from 'node:child_process'

const STOP_TIMEOUT_MS = 60_000

/** Servers of this process that are alive: none may outlive the benchmark. */
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Has `child` end with this process. Resolves when it has ended. */
export function owned(child: ChildProcess): Promise<void> {
  alive.add(child)
  return new Promise((resolve) => {
    child.once('exit', () => {
      alive.delete(child)
      resolve()
    })
  })
}

/** SIGTERM, as an operator would; SIGKILL when it does not end. */
export async function endInOrder(child: ChildProcess, exited: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => {
    child.kill('SIGKILL')
  }, STOP_TIMEOUT_MS)
  await exited
  clearTimeout(timer)
}
