import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../../../shared/errors.ts'
import { crc32c, unmask } from './crc32c.ts'
import { KEY_BYTES } from './keys.ts'
import { liveTables } from './manifest.ts'
import { databaseFolder } from './marker.ts'
import type { Quarantine } from './quarantine.ts'
import { openRecord } from './record.ts'
import { type BlockEntry, type BlockHandle, parseBlock, parseFooter, readHandle } from './tableFormat.ts'

/** One of LevelDB's own checksums does not match. `harmless`: only payloads that our record checksums catch. */
interface TableDamage {
  readonly offset: number
  readonly harmless: boolean
}

const TRAILER_BYTES = 5

/**
 * Reads every live table once before LevelDB opens them. classic-level cannot be told to verify block checksums, and without
 * them one flipped bit in a key or an index makes LevelDB abort the whole process, lets an older record shine through,
 * or hides a record behind a damaged filter. Damage inside a payload is harmless: the record's own checksum finds it when
 * the document is loaded, and only that record is lost.
 *
 * Costs about 1 s per GB. Throws STORAGE_CORRUPT when LevelDB must not be given the table; a copy is then kept.
 */
export async function checkTables(directory: string, quarantine: Quarantine): Promise<void> {
  const folder = databaseFolder(directory)
  const live = await liveTables(folder)
  if (live === null) return
  const files = (await readdir(folder)).filter(
    (file) => /\.(ldb|sst)$/.test(file) && live.has(Number.parseInt(file, 10)),
  )
  for (const file of files) {
    const raw = await readFile(join(folder, file))
    const damage = findTableDamage(raw)
    if (damage === null) continue
    const reason = `${file} is damaged near byte ${damage.offset}`
    await quarantine.keep({ document: null, label: `table-${file.replace('.', '-')}`, raw, reason })
    if (damage.harmless) continue
    throw new StorageError(
      'STORAGE_CORRUPT',
      `The database in ${directory} cannot be used: ${reason}, in a place that could crash the process or hide newer ` +
        'data. Nothing was changed. Copy the directory away first, then restore it from a backup.',
    )
  }
}

/** The worst damage in a table, or null. */
function findTableDamage(table: Buffer): TableDamage | null {
  const footer = parseFooter(table)
  if (footer === null) return { offset: Math.max(0, table.length - 48), harmless: false }
  const index = soundBlock(table, footer.index)
  if (index === null) return { offset: footer.index.offset, harmless: false }
  const metaIndex = soundBlock(table, footer.metaIndex)
  if (metaIndex === null) return { offset: footer.metaIndex.offset, harmless: false }
  for (const { value } of metaIndex) {
    const filter = readHandle(value, 0)
    if (filter === null || !isSound(table, filter.handle)) return { offset: footer.metaIndex.offset, harmless: false }
  }
  return findDataDamage(table, index)
}

function findDataDamage(table: Buffer, index: readonly BlockEntry[]): TableDamage | null {
  let found: TableDamage | null = null
  for (const { value } of index) {
    const handle = readHandle(value, 0)?.handle
    if (handle === undefined) return { offset: 0, harmless: false }
    if (isSound(table, handle)) continue
    found = { offset: handle.offset, harmless: isHarmless(table, handle) }
    if (!found.harmless) return found
  }
  return found
}

/** True when the block can still be walked in order and one of its payloads explains the damage. */
function isHarmless(table: Buffer, handle: BlockHandle): boolean {
  const entries = parseBlock(table.subarray(handle.offset, handle.offset + handle.size))
  if (entries === null) return false
  const unreadable = entries.filter(({ key, value, deleted }) => !deleted && openRecord(key, value) === null)
  return unreadable.length > 0 && unreadable.every(({ key, value }) => !isKeyDamage(key, value))
}

/** True when flipping one bit of the key makes the record valid: then it is the key that is wrong, not the payload. */
function isKeyDamage(key: Uint8Array, value: Uint8Array): boolean {
  const candidate = Buffer.from(key)
  const bits = Math.min(key.length, KEY_BYTES) * 8
  for (let bit = 0; bit < bits; bit++) {
    const position = bit >> 3
    const mask = 1 << (bit & 7)
    candidate[position] = (candidate[position] ?? 0) ^ mask
    if (openRecord(candidate, value) !== null) return true
    candidate[position] = (candidate[position] ?? 0) ^ mask
  }
  return false
}

function soundBlock(table: Buffer, handle: BlockHandle): BlockEntry[] | null {
  return isSound(table, handle) ? parseBlock(table.subarray(handle.offset, handle.offset + handle.size)) : null
}

function isSound(table: Buffer, { offset, size }: BlockHandle): boolean {
  const end = offset + size
  if (end + TRAILER_BYTES > table.length) return false
  return crc32c(table.subarray(offset, end + 1)) === unmask(table.readUInt32LE(end + 1))
}
