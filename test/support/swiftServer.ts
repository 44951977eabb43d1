import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Bucket } from '../../server/engine/archive/s3/bucket.ts'
import { parseAddress } from '../../server/engine/archive/s3/address.ts'
import { systemClock } from '../../server/clock.ts'
import { freePort } from './freePort.ts'

// The packages belong to Debian's own Python, which need not be the first in the path.
const python = '/usr/bin/python3'

/** Why tests that need an S3 server cannot run here; null: they can. */
export const swiftMissing: string | null =
  spawnSync(python, ['-c', 'import swift.common.middleware.s3api']).status === 0
    ? null
    : 'OpenStack Swift is not installed (Debian: apt-get install python3-swift)'

if (swiftMissing !== null) process.stderr.write(`S3 tests are SKIPPED: ${swiftMissing}\n`)

const account = { key: 'test:tester', secret: 'testing' }

/** OpenStack Swift, which speaks S3, in a process of its own with a bucket called "archive". */
export class SwiftServer {
  readonly port: number
  readonly #directory: string
  readonly #process: ChildProcess

  private constructor(port: number, directory: string, process: ChildProcess) {
    this.port = port
    this.#directory = directory
    this.#process = process
  }

  static async start(): Promise<SwiftServer> {
    const directory = await mkdtemp(join(tmpdir(), 'scriptorium-swift-'))
    const ports = [await freePort(), await freePort(), await freePort(), await freePort()]
    const args = [join(import.meta.dirname, 's3server.py'), directory, ...ports.map(String)]
    const child = spawn(python, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let complaints = ''
    child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
    const failed = once(child, 'exit').then(() => Promise.reject(new Error(`Swift did not start: ${complaints}`)))
    await Promise.race([once(child.stdout, 'data'), failed])
    failed.catch(() => undefined) // it ends when the test does
    const server = new SwiftServer(ports[0] ?? 0, directory, child)
    await server.bucket('').put('', new Uint8Array(0)) // a PUT of no key makes the bucket
    return server
  }

  /** @param prefix a path, or '' */
  url(
    prefix: string,
    { key = account.key, secret = account.secret, bucket = 'archive', port = this.port } = {},
  ): string {
    const credentials = `${encodeURIComponent(key)}:${encodeURIComponent(secret)}`
    return `s3+http://${credentials}@127.0.0.1:${String(port)}/${bucket}/${prefix}`
  }

  /** What is stored, without an archive in between. */
  bucket(prefix: string): Bucket {
    const address = parseAddress(this.url(prefix), {})
    return new Bucket({ address, clock: systemClock, onHealth: () => undefined })
  }

  /** Hangs until `resume`. */
  pause(): void {
    this.#process.kill('SIGSTOP')
  }

  resume(): void {
    this.#process.kill('SIGCONT')
  }

  async dispose(): Promise<void> {
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
    await rm(this.#directory, { recursive: true, force: true })
  }
}
