import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c, stepCrc32c, unmask } from './crc32c.ts'
import { BLOCK_BYTES, type Fragment, readFragment, TYPE_OFFSET } from './logFormat.ts'
import { databaseFolder } from './marker.ts'
import type { Quarantine } from './quarantine.ts'

/**
 * Keeps and reports every damaged write-ahead log. On opening, LevelDB silently drops a record whose checksum is wrong
 * together with the rest of its block, moves what remains into a table and deletes the log: the last records of a
 * document would be gone without a trace. So the log is read before LevelDB does.
 *
 * A log that merely ends early (a crash while writing) is not damaged.
 */
export async function keepDamagedLogs(directory: string, quarantine: Quarantine): Promise<void> {
  const folder = databaseFolder(directory)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.log'))
  for (const file of files) {
    const raw = await readFile(join(folder, file))
    const offset = findLogDamage(raw)
    if (offset === null) continue
    const reason =
      `${file} is damaged at byte ${offset}; records from there to the next multiple of ${BLOCK_BYTES} are lost. ` +
      'After a power loss these were not acknowledged (durability fsync).'
    await quarantine.keep({ document: null, label: `log-${file.replace('.', '-')}`, raw, reason })
  }
}

/** Offset of the first fragment that is there and not as it was written, or null. */
export function findLogDamage(log: Buffer): number | null {
  for (let fragment = readFragment(log, 0); fragment !== null; fragment = readFragment(log, fragment.end)) {
    const { offset, type, payload, fit } = fragment
    // Zeros to the end are space that a file system had reserved when the power went.
    if (type === 0 && payload.length === 0) return isZero(log.subarray(offset)) ? null : offset
    if (fit === 'cut') return isWholeDespiteLength(log.subarray(offset)) ? offset : null
    if (fit === 'oversized' || !isSound(log, fragment)) return offset
  }
  return null
}

function isSound(log: Buffer, { offset, end }: Fragment): boolean {
  return crc32c(log.subarray(offset + TYPE_OFFSET, end)) === unmask(log.readUInt32LE(offset))
}

/** The file ends inside this fragment: either it was cut there, or its length is damaged and all of it is there. */
function isWholeDespiteLength(rest: Buffer): boolean {
  const wanted = unmask(rest.readUInt32LE(0))
  let register = ~0
  for (const byte of rest.subarray(TYPE_OFFSET)) {
    register = stepCrc32c(register, byte)
    if (~register >>> 0 === wanted) return true
  }
  return false
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}
