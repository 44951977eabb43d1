import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * Below what the kernel hands out by itself (from 32,768 on with Linux): whoever asks it for any port, or connects to
 * somebody, cannot get one of these between now and its use.
 */
const FIRST_PORT = 12_000
/** For each of the processes in which tests run at a time. */
const PORTS = 5_000

/** Another one each time: a process of tests that has ended may have left something behind on those it used. */
let next = Math.floor(Math.random() * PORTS)

/** A TCP port of this machine that nobody uses at the moment. For programs that cannot be told to take any. */
export async function freePort(): Promise<number> {
  const isSecond = Number(process.env['VITEST_POOL_ID'] ?? 0) % 2 === 0
  for (;;) {
    next = (next + 1) % PORTS
    const port = FIRST_PORT + next + (isSecond ? PORTS : 0)
    if (await isFree(port)) return port
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  try {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  } catch {
    return false // in use, or not for us
  }
  server.close()
  await once(server, 'close')
  return true
}
