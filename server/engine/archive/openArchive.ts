import type { StorageError } from '../../../shared/errors.ts'
import { systemClock } from '../../clock.ts'
import type { Clock } from '../../clock.ts'
import type { EngineHealth } from '../engine.ts'
import type { Archive } from './archive.ts'
import { describeUrl } from './describeUrl.ts'
import { openPostgresArchive } from './postgres/postgresArchive.ts'
import { parseAddress } from './s3/address.ts'
import { openS3Archive } from './s3/s3Archive.ts'

export { describeUrl as describeArchive }

export interface ArchiveOptions {
  /** `postgres://…`, `postgresql://…`, `s3://…` or `s3+http://…`, as the option `archive` has it. */
  readonly url: string
  /** Default: the real one. */
  readonly clock?: Clock
  /** Called on every change between working and not working. Must not throw. */
  readonly onHealth?: (health: EngineHealth) => void
  /** One sentence about a set-up that may lose what is archived. Must not throw. */
  readonly onWarning?: (warning: string) => void
  /**
   * Called when the archive does not answer: it is opened all the same, and every call is an attempt to reach it. Default:
   * opening it rejects, as it does in any case when the archive refuses what it is asked. Must not throw.
   */
  readonly onUnreachable?: (error: StorageError) => void
  /** Milliseconds after which a call without an answer is given up; default 35 s (PostgreSQL), 60 s (S3). */
  readonly answerTimeoutMs?: number
}

/**
 * Opens the archive that the address names.
 *
 * @throws StorageError or InvalidOptionError, whose message says, in one sentence and without the password, what is wrong
 */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  // The clock's timers keep no process alive, and while one starts there may be nothing else that does.
  const awake = setInterval(() => undefined, 60_000)
  try {
    return await open(options)
  } finally {
    clearInterval(awake)
  }
}

async function open(options: ArchiveOptions): Promise<Archive> {
  const { clock = systemClock, onHealth = () => undefined, onWarning = () => undefined } = options
  if (!/^s3(?:\+http)?:/.test(options.url)) return openPostgresArchive({ ...options, clock, onHealth, onWarning })
  const address = parseAddress(options.url, process.env)
  return openS3Archive({ ...options, address, clock, onHealth })
}
