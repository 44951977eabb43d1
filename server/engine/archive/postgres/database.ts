import { StorageError, toError } from '../../../../shared/errors.ts'
import type { Pool } from 'pg'
import type { Clock } from '../../../clock.ts'
import type { EngineHealth } from '../../engine.ts'
import { Remote } from '../remote.ts'
import { describeFailure, isPassing } from './failures.ts'

export interface DatabaseOptions {
  /** `postgres://user:password@host:port/database?sslmode=…`; what it leaves out comes from PGHOST, PGPASSWORD and so on. */
  readonly url: string
  readonly clock: Clock
  /** Called on every change between working and not working. Must not throw. */
  readonly onHealth: (health: EngineHealth) => void
  /** Milliseconds after which a statement without an answer is given up; default 35 s, more than the server's own limit. */
  readonly answerTimeoutMs?: number
}

/** Of one process; a few nodes share a server whose default is 100 connections. */
const MAX_CONNECTIONS = 4
/** Milliseconds for a connection to be there, the wait for a free one included. */
const CONNECT_TIMEOUT_MS = 5_000
/** Milliseconds after which the server gives up a statement. */
const STATEMENT_TIMEOUT_MS = 30_000
/** Milliseconds after which we give up a server that does not even do that. */
const ANSWER_TIMEOUT_MS = 35_000

/**
 * Loads the driver; connects to nothing yet.
 *
 * @throws StorageError STORAGE_UNAVAILABLE when the package is not installed
 */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  const { default: pg } = await import('pg').catch((thrown: unknown) => {
    const how = 'run "npm install pg" where Scriptorium is installed'
    const sentence = `An archive in PostgreSQL needs the package pg, which cannot be loaded: ${how}.`
    throw new StorageError('STORAGE_UNAVAILABLE', sentence, toError(thrown))
  })
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: 'scriptorium',
    max: MAX_CONNECTIONS,
    idleTimeoutMillis: 30_000,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: options.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  })
  return new Database(pool, options)
}

/** One PostgreSQL database, through a few connections that are made when needed. */
export class Database {
  readonly #pool: Pool
  readonly #remote: Remote

  constructor(pool: Pool, { url, clock, onHealth }: DatabaseOptions) {
    this.#pool = pool
    this.#remote = new Remote({ clock, onHealth, isPassing, describe: (thrown) => describeFailure(url, thrown) })
    pool.on('error', () => {
      // An idle connection was lost; the pool has dropped it, and the next statement makes another.
    })
  }

  /**
   * Carries out a statement that may be carried out twice.
   *
   * @param values buffers, strings, arrays of these, or null; not to be changed until the promise has settled
   * @throws StorageError STORAGE_UNAVAILABLE, or STORAGE_CLOSED
   */
  query<Row extends object>(statement: string, values: unknown[]): Promise<Row[]> {
    return this.#remote.run(async () => {
      const { rows } = await this.#pool.query<Row>(statement, values)
      return rows
    })
  }

  health(): EngineHealth {
    return this.#remote.health()
  }

  /** The pool would leave those who wait for a connection without an answer, so it ends last. */
  close(): Promise<void> {
    return this.#remote.close(() => this.#pool.end())
  }
}
