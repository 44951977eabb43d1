import { StorageError } from '../../../../shared/errors.ts'
import type { Database } from './database.ts'
import { describeUrl } from '../describeUrl.ts'

/** Stands in the table's comment; another one means that the table is somebody else's or of another version. */
const LAYOUT = 'Scriptorium archive, layout 1'

/**
 * One row is one part (`part.ts` has its bytes). The name itself is the key: it has at most 512 bytes, nothing can collide,
 * and the index answers `names` alone. bytea, so that neither the encoding nor the collation of the database matters.
 *
 * EXTERNAL keeps `part` uncompressed, so that a slice of it can be read without all the rest.
 *
 * "If not exists" alone is not enough: two nodes that both find nothing collide in the catalogue. The lock (an arbitrary
 * number, the same in all nodes) goes when this one transaction ends.
 */
const CREATE = `
  DO $$ BEGIN
    PERFORM pg_advisory_xact_lock(7236837454512193);
    CREATE TABLE IF NOT EXISTS scriptorium_archive (
      name bytea NOT NULL,
      reference text NOT NULL,
      archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
      part bytea NOT NULL,
      PRIMARY KEY (name, reference)
    );
    ALTER TABLE scriptorium_archive ALTER COLUMN part SET STORAGE EXTERNAL;
    COMMENT ON TABLE scriptorium_archive IS '${LAYOUT}';
  END $$`

const INSPECT = `
  SELECT obj_description(oid, 'pg_class') AS layout, relpersistence AS persistence,
         has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
           AND has_table_privilege(oid, 'DELETE') AS permitted
  FROM pg_class WHERE oid = to_regclass('scriptorium_archive')`

interface Table {
  readonly layout: string | null
  /** p = permanent, u = unlogged (emptied by a crash), t = temporary. */
  readonly persistence: string
  readonly permitted: boolean
}

/**
 * Sees to it that the table is there. One that is needs no right to create.
 *
 * @throws StorageError STORAGE_FOREIGN, or STORAGE_UNAVAILABLE
 */
export async function prepareTable(database: Database, url: string): Promise<void> {
  const table = (await inspect(database)) ?? (await create(database))
  const place = `The table scriptorium_archive in ${describeUrl(url)}`
  if (table?.layout !== LAYOUT) {
    throw new StorageError('STORAGE_FOREIGN', `${place} is not an archive of a version that this one can read.`)
  }
  if (table.persistence !== 'p') {
    throw new StorageError('STORAGE_FOREIGN', `${place} is unlogged or temporary, so a crash would empty it.`)
  }
  if (!table.permitted) {
    throw new StorageError('STORAGE_UNAVAILABLE', `${place} needs granting: SELECT, INSERT and DELETE, to this user.`)
  }
}

async function inspect(database: Database): Promise<Table | undefined> {
  const [table] = await database.query<Table>(INSPECT, [])
  return table
}

async function create(database: Database): Promise<Table | undefined> {
  await database.query(CREATE, [])
  return inspect(database)
}
