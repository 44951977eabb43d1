import { ClassicLevel } from 'classic-level'
import { StorageError, toError } from '../../../shared/errors.ts'
import { databaseFolder } from './marker.ts'

export type Database = ClassicLevel<Uint8Array, Uint8Array>
export type Batch = ReturnType<Database['batch']> & { readonly length: number }

/** What a read sees: the same instant for every call that is given the same one. */
export type View = ReturnType<Database['snapshot']>

/** Opens `<directory>/leveldb`; every failure is a StorageError that says what an operator can do. */
export async function openDatabase(directory: string, createIfMissing: boolean): Promise<Database> {
  const database: Database = new ClassicLevel(databaseFolder(directory), {
    keyEncoding: 'view',
    valueEncoding: 'view',
    createIfMissing,
    // Off: a flipped bit in a compressed block makes the whole block undecodable, and with it every write that happens
    // to compact the block. Uncompressed it costs one record, which our own checksum finds.
    compression: false,
  })
  try {
    await database.open()
  } catch (thrown) {
    // A handle that did not open still owns its native context until it is closed.
    await database.close().catch(() => undefined)
    throw openError(directory, thrown)
  }
  return database
}

/** LevelDB says that stored bytes are not what it wrote; anything else may pass. */
export function isCorruption(thrown: unknown): boolean {
  return codeOf(thrown) === 'LEVEL_CORRUPTION' || codeOf(causeOf(thrown)) === 'LEVEL_CORRUPTION'
}

export function asStorageError(action: string, thrown: unknown): StorageError {
  if (thrown instanceof StorageError) return thrown
  const error = toError(thrown)
  return new StorageError('STORAGE_UNAVAILABLE', `${action} failed: ${error.message}`, error)
}

function openError(directory: string, thrown: unknown): StorageError {
  const cause = toError(causeOf(thrown) ?? thrown)
  if (codeOf(cause) === 'LEVEL_LOCKED') {
    return new StorageError(
      'STORAGE_LOCKED',
      `The data directory ${directory} is in use by another process. Stop that process, or choose another directory.`,
      cause,
    )
  }
  if (codeOf(cause) === 'LEVEL_CORRUPTION' || isMissingPart(cause)) {
    return new StorageError(
      'STORAGE_CORRUPT',
      `The database in ${directory} does not open: ${cause.message}. Nothing was changed. Copy the directory away ` +
        'first, then restore it from a backup.',
      cause,
    )
  }
  return new StorageError(
    'STORAGE_UNAVAILABLE',
    `The database in ${directory} cannot be opened: ${cause.message}. The directory must be writable by the user this ` +
      'process runs as, on a disk with free space.',
    cause,
  )
}

/** LevelDB reports a missing table or manifest as an ordinary I/O error; waiting does not bring it back. */
function isMissingPart(error: Error): boolean {
  return /No such file|does not exist|CURRENT file/i.test(error.message)
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
}

function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? thrown.cause : undefined
}
