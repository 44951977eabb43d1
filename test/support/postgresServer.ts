import { execFile, execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, readdirSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { eventually } from './eventually.ts'
import { freePort } from './freePort.ts'

/** Debian keeps the server's programs here, by version, outside of the path. */
const debianDirectory = '/usr/lib/postgresql'
const superuser = 'admin'

/** Has characters that must be escaped in a URL, so that every test shows that they arrive. */
export const password = 'p@ss:w/rd?#%'

/** Why there can be no server here, or null when there can be one. */
export const postgresMissing: string | null =
  binDirectory() === null ? 'PostgreSQL is not installed (Debian: apt-get install postgresql)' : null

export interface Account {
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** Where tables are created; default: the database's own. */
  readonly schema?: string
  /** Of the server, or of what stands before it. */
  readonly port?: number
}

/** A PostgreSQL server of our own, in a directory of its own, on a free port of this machine. */
export class PostgresServer {
  readonly #directory: string
  readonly #owner: { uid: number; gid: number } | Record<string, never>
  readonly #settings: readonly string[]
  readonly port: number
  #process: ChildProcess | null = null
  #log = ''

  private constructor(directory: string, owner: { uid: number; gid: number } | null, port: number, settings: string[]) {
    this.#directory = directory
    this.#owner = owner ?? {}
    this.port = port
    this.#settings = settings
  }

  /** @param settings as in postgresql.conf, "name=value" */
  static async start(settings: string[] = []): Promise<PostgresServer> {
    const directory = await mkdtemp(join(tmpdir(), 'scriptorium-postgres-'))
    const owner = unprivilegedOwner()
    if (owner !== null) await chown(directory, owner.uid, owner.gid)
    const server = new PostgresServer(directory, owner, await freePort(), settings)
    await server.#initialise()
    await server.restart()
    return server
  }

  url({ user = superuser, database = 'postgres', schema, port, ...account }: Account = {}): string {
    const credentials = `${user}:${encodeURIComponent(account.password ?? password)}`
    const options = schema === undefined ? '' : `?options=${encodeURIComponent(`-c search_path=${schema}`)}`
    return `postgres://${credentials}@127.0.0.1:${String(port ?? this.port)}/${database}${options}`
  }

  /** Runs statements as the superuser and returns the rows of the last one. */
  async sql(statement: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url() })
    client.on('error', () => undefined) // the query rejects
    try {
      await client.connect()
      return (await client.query<Record<string, unknown>>(statement, values)).rows
    } finally {
      await client.end()
    }
  }

  /** Starts it where it was stopped or killed; resolves when it answers. */
  async restart(): Promise<void> {
    const settings = [...this.#settings, `unix_socket_directories=${this.#directory}`, 'listen_addresses=127.0.0.1']
    const args = [
      '-D',
      join(this.#directory, 'data'),
      '-p',
      String(this.port),
      ...settings.flatMap((one) => ['-c', one]),
    ]
    const child = spawn(program('postgres'), args, { ...this.#owner, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.on('data', (text: Buffer) => (this.#log += text.toString()))
    this.#process = child
    await eventually(() => this.sql('SELECT 1').then(() => true), 'PostgreSQL answers', { detail: () => this.#log })
  }

  /** As a crash: nothing is written any more, clients are cut off, what was not flushed is gone. */
  crash(): Promise<void> {
    return this.#end('SIGQUIT')
  }

  /** In order, but without waiting for clients. */
  stop(): Promise<void> {
    return this.#end('SIGINT')
  }

  async dispose(): Promise<void> {
    await this.stop()
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  async #initialise(): Promise<void> {
    const passwordFile = join(this.#directory, 'password')
    await writeFile(passwordFile, password)
    const data = ['-D', join(this.#directory, 'data'), '--no-sync', '--locale=C', '--encoding=SQL_ASCII']
    const access = ['-U', superuser, '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    await promisify(execFile)(program('initdb'), [...data, ...access], this.#owner)
  }
}

/** PostgreSQL refuses to run as root; Debian's package brings a user for it. */
function unprivilegedOwner(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  for (const user of ['postgres', 'nobody']) {
    try {
      const number = (flag: string): number => Number(execFileSync('id', [flag, user], { stdio: 'pipe' }))
      return { uid: number('-u'), gid: number('-g') }
    } catch {
      // There is no such user; the next one is on every Debian.
    }
  }
  throw new Error('PostgreSQL does not run as root, and there is no user postgres and none called nobody')
}

function program(name: string): string {
  return join(binDirectory() ?? '', name)
}

function binDirectory(): string | null {
  const versions = (): string[] => readdirSync(debianDirectory).sort((left, right) => Number(right) - Number(left))
  const debian = isThere(debianDirectory) ? versions().map((version) => join(debianDirectory, version, 'bin')) : []
  const candidates = [...debian, ...(process.env['PATH'] ?? '').split(':')]
  return (
    candidates.find((directory) => isThere(join(directory, 'initdb')) && isThere(join(directory, 'postgres'))) ?? null
  )
}

function isThere(path: string): boolean {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}
