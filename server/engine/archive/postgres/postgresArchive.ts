import type { StorageError } from '../../../../shared/errors.ts'
import type { EngineHealth, ListQuery, Snapshot } from '../../engine.ts'
import type { Archive, ArchiveReference } from '../archive.ts'
import { damaged, decodePart, encodePart, isReference, newReference } from '../part.ts'
import type { Database, DatabaseOptions } from './database.ts'
import { createDatabase } from './database.ts'
import { describeUrl } from '../describeUrl.ts'
import { firstLook } from '../firstLook.ts'
import { isUnreachable } from './failures.ts'
import { prepareTable } from './schema.ts'

export interface PostgresArchiveOptions extends DatabaseOptions {
  /** Told once, in one sentence, when the server is set up so that what it calls stored may be lost. Must not throw. */
  readonly onWarning: (warning: string) => void
  /** See `ArchiveOptions`. */
  readonly onUnreachable?: (error: StorageError) => void
}

/** Bytes fetched at once: the driver receives them as hexadecimal text, and V8 has no string above 512 MiB. */
const SLICE_BYTES = 8 * 1024 * 1024

/**
 * A setting of the server or the role may let a commit return before it is on the disk; this statement then waits for it
 * all the same. Stronger settings (a replica's confirmation) stay as they are. Within the statement, so that it holds
 * behind a connection pooler too.
 */
const PUT = `
  INSERT INTO scriptorium_archive (name, reference, part)
  SELECT $1::bytea, $2::text, $3::bytea
  FROM (SELECT CASE WHEN current_setting('synchronous_commit') = 'off'
                    THEN set_config('synchronous_commit', 'local', true) END OFFSET 0) AS durable
  ON CONFLICT (name, reference) DO NOTHING`

const LIST = 'SELECT reference FROM scriptorium_archive WHERE name = $1::bytea ORDER BY archived_at, reference'

const GET = `
  SELECT octet_length(part) AS length, substring(part FROM $3::int + 1 FOR ${SLICE_BYTES}) AS slice
  FROM scriptorium_archive WHERE name = $1::bytea AND reference = $2::text`

const DROP = 'DELETE FROM scriptorium_archive WHERE name = $1::bytea AND reference = ANY ($2::text[])'

const NAMES = `
  SELECT DISTINCT name FROM scriptorium_archive
  WHERE name >= $1::bytea AND ($2::bytea IS NULL OR name < $2::bytea) AND ($3::bytea IS NULL OR name > $3::bytea)
  ORDER BY name LIMIT $4::int`

/**
 * Parts as rows of the table `scriptorium_archive` in a PostgreSQL database (12 or newer), which is created when it is
 * missing. Behind PgBouncer: `ignore_startup_parameters = statement_timeout`.
 *
 * @throws StorageError STORAGE_UNAVAILABLE (the message says what to do) or STORAGE_FOREIGN
 */
export async function openPostgresArchive(options: PostgresArchiveOptions): Promise<Archive> {
  const database = await createDatabase(options)
  const archive = new PostgresArchive(database, () => prepare(database, options))
  const { onUnreachable } = options
  await firstLook({ look: () => archive.prepare(), isUnreachable, onUnreachable, close: () => database.close() })
  return archive
}

async function prepare(database: Database, { url, onWarning }: PostgresArchiveOptions): Promise<void> {
  await prepareTable(database, url)
  const [server] = await database.query<{ fsync: string }>("SELECT current_setting('fsync') AS fsync", [])
  if (server?.fsync === 'off') onWarning(forgetful(url))
}

function forgetful(url: string): string {
  return `the archive ${describeUrl(url)} runs with fsync = off: archived documents may be lost when its machine loses power.`
}

/** Whether the table is known to be there and to be ours. */
type Preparation =
  { readonly kind: 'none' } | { readonly kind: 'underWay'; readonly done: Promise<void> } | { readonly kind: 'done' }

class PostgresArchive implements Archive {
  readonly #database: Database
  readonly #prepare: () => Promise<void>
  #preparation: Preparation = { kind: 'none' }

  /** @param prepare may be called again after it has failed */
  constructor(database: Database, prepare: () => Promise<void>) {
    this.#database = database
    this.#prepare = prepare
  }

  /** Whoever needs the table waits for it, and does it again where it failed before. */
  prepare(): Promise<void> {
    if (this.#preparation.kind === 'done') return Promise.resolve()
    if (this.#preparation.kind === 'underWay') return this.#preparation.done
    const done = this.#prepareOnce()
    this.#preparation = { kind: 'underWay', done }
    return done
  }

  async #prepareOnce(): Promise<void> {
    try {
      await this.#prepare()
      this.#preparation = { kind: 'done' }
    } catch (error) {
      this.#preparation = { kind: 'none' }
      throw error
    }
  }

  async put(document: string, part: Snapshot): Promise<ArchiveReference> {
    const reference = newReference()
    const bytes = encodePart(document, reference, part)
    await this.#query(PUT, [Buffer.from(document, 'utf8'), reference, bytes])
    return reference
  }

  async list(document: string): Promise<readonly ArchiveReference[]> {
    const rows = await this.#query<{ reference: string }>(LIST, [Buffer.from(document, 'utf8')])
    return rows.map(({ reference }) => reference)
  }

  async get(document: string, reference: ArchiveReference): Promise<Snapshot> {
    const slices: Buffer[] = []
    let wanted = 1
    for (let fetched = 0; fetched < wanted;) {
      const { length, slice } = await this.#slice(document, reference, fetched)
      wanted = length
      fetched += slice.length
      slices.push(slice)
      if (slice.length === 0) break
    }
    return decodePart(document, reference, Buffer.concat(slices))
  }

  /** Nothing that is no reference of ours reaches the server: a text may not even hold every character. */
  async drop(document: string, references: readonly ArchiveReference[]): Promise<void> {
    await this.#query(DROP, [Buffer.from(document, 'utf8'), references.filter(isReference)])
  }

  async names({ prefix = '', after, limit }: ListQuery): Promise<readonly string[]> {
    const from = Buffer.from(prefix, 'utf8')
    const beyond = after === undefined ? null : Buffer.from(after, 'utf8')
    const rows = await this.#query<{ name: Buffer }>(NAMES, [from, endOfPrefix(from), beyond, limit])
    return rows.map(({ name }) => name.toString('utf8'))
  }

  health(): EngineHealth {
    return this.#database.health()
  }

  close(): Promise<void> {
    return this.#database.close()
  }

  /** In this very turn once the table is there: `close` waits for what has begun. */
  #query<Row extends object>(statement: string, values: unknown[]): Promise<Row[]> {
    if (this.#preparation.kind === 'done') return this.#database.query<Row>(statement, values)
    return this.prepare().then(() => this.#database.query<Row>(statement, values))
  }

  async #slice(
    document: string,
    reference: ArchiveReference,
    from: number,
  ): Promise<{ length: number; slice: Buffer }> {
    const key = [Buffer.from(document, 'utf8'), isReference(reference) ? reference : '']
    const [row] = await this.#query<{ length: number; slice: Buffer }>(GET, [...key, from])
    if (row === undefined) throw damaged(document, reference, 'it is not there')
    return row
  }
}

/** The first byte string after all that begin with `prefix`; null when there is none. No byte of UTF-8 is 255. */
function endOfPrefix(prefix: Buffer): Buffer | null {
  const last = prefix.at(-1)
  return last === undefined ? null : Buffer.concat([prefix.subarray(0, -1), Buffer.from([last + 1])])
}
