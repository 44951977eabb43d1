import { randomBytes } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError, toError } from '../../../shared/errors.ts'
import { writeDurably } from './durableFile.ts'

/**
 * `scriptorium.json`: says, outside the database, that a database was created here. Without it a deleted `CURRENT` would
 * make LevelDB open an empty database without an error, and every document would look as if it had never existed.
 */
export interface Marker {
  readonly format: 1
  /** Random, chosen once per data directory; part of every cursor. */
  readonly epoch: string
  /** 'creating' until the database has been opened once: the only state in which it may be created. */
  readonly state: 'creating' | 'ready'
}

const FORMAT = 1
const MARKER_FILE = 'scriptorium.json'
const DATABASE_FOLDER = 'leveldb'

export const databaseFolder = (directory: string): string => join(directory, DATABASE_FOLDER)

/** The marker of `directory`, or null when there is none. Throws STORAGE_FOREIGN when it is not one of ours. */
export async function readMarker(directory: string): Promise<Marker | null> {
  const file = join(directory, MARKER_FILE)
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (isMissing(thrown)) return null
    throw unreadable(directory, thrown)
  }
  const marker = parseMarker(text)
  if (marker === null) {
    throw new StorageError(
      'STORAGE_FOREIGN',
      `${file} is not understood: it was written by another program or by a newer version. Nothing was changed. ` +
        'Start the version that wrote it, or choose another data directory.',
    )
  }
  return marker
}

/** Starts a new data directory. Throws STORAGE_FOREIGN when a database is already there. */
export async function createMarker(directory: string): Promise<Marker> {
  if (await hasDatabase(directory)) {
    throw new StorageError(
      'STORAGE_FOREIGN',
      `${directory} contains a database but no ${MARKER_FILE}, so it is not known to be ours. Nothing was changed. ` +
        `Restore ${MARKER_FILE} from a backup, or choose another data directory.`,
    )
  }
  const marker: Marker = { format: FORMAT, epoch: randomBytes(6).toString('hex'), state: 'creating' }
  await writeMarker(directory, marker)
  return marker
}

export async function writeMarker(directory: string, marker: Marker): Promise<void> {
  try {
    await writeDurably(join(directory, MARKER_FILE), `${JSON.stringify(marker)}\n`)
  } catch (thrown) {
    throw unreadable(directory, thrown)
  }
}

/** Throws STORAGE_MISSING when the marker says that there is a database and there is none. */
export async function requireDatabase(directory: string): Promise<void> {
  if (await hasDatabase(directory)) return
  throw new StorageError(
    'STORAGE_MISSING',
    `${directory} was initialised before, but ${join(DATABASE_FOLDER, 'CURRENT')} is gone. Nothing was created in its ` +
      `place. Restore the ${DATABASE_FOLDER} folder from a backup; to start empty, move the whole directory away.`,
  )
}

export function unreadable(directory: string, thrown: unknown): StorageError {
  const error = toError(thrown)
  return new StorageError(
    'STORAGE_UNAVAILABLE',
    `The data directory ${directory} cannot be used: ${error.message}. It must exist or be creatable, and be writable ` +
      'by the user this process runs as.',
    error,
  )
}

async function hasDatabase(directory: string): Promise<boolean> {
  try {
    return (await readdir(databaseFolder(directory))).includes('CURRENT')
  } catch (thrown) {
    if (isMissing(thrown)) return false
    throw unreadable(directory, thrown)
  }
}

function parseMarker(text: string): Marker | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return null
  }
  return isMarker(parsed) ? parsed : null
}

function isMarker(value: unknown): value is Marker {
  if (typeof value !== 'object' || value === null) return false
  const { format, epoch, state } = value as Record<string, unknown>
  const known = state === 'creating' || state === 'ready'
  return format === FORMAT && typeof epoch === 'string' && /^[0-9a-f]+$/.test(epoch) && known
}

function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | null)?.code === 'ENOENT'
}
