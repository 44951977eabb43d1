import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readLogRecords } from './logFormat.ts'
import { readVarint } from './tableFormat.ts'

/**
 * The manifest is a log of edits to the set of live tables; `CURRENT` names it. An edit is a run of fields, each a tag
 * and its operands (varints; strings have their length before them).
 */
const OPERANDS: Readonly<Record<number, readonly ('number' | 'string')[]>> = {
  1: ['string'], //                                        comparator
  2: ['number'], //                                        log number
  3: ['number'], //                                        next file number
  4: ['number'], //                                        last write number
  5: ['number', 'string'], //                              compaction pointer: level, key
  6: ['number', 'number'], //                              deleted file: level, number
  7: ['number', 'number', 'number', 'string', 'string'], // new file: level, number, size, smallest, largest
  9: ['number'], //                                        previous log number
}
const DELETED_FILE = 6
const NEW_FILE = 7

/**
 * Numbers of the tables that belong to the database. Others may lie beside them: what a crash left half written, and
 * LevelDB deletes. Null when the manifest cannot be read; LevelDB then refuses to open.
 */
export async function liveTables(folder: string): Promise<ReadonlySet<number> | null> {
  const current = (await readFile(join(folder, 'CURRENT'), 'utf8')).trim()
  if (!/^MANIFEST-\d+$/.test(current)) return null
  const records = readLogRecords(await readFile(join(folder, current)))
  const live = new Map<string, number>()
  for (const record of records) if (!applyEdit(record, live)) return null
  return new Set(live.values())
}

function applyEdit(edit: Uint8Array, live: Map<string, number>): boolean {
  for (let offset = 0; offset < edit.length;) {
    const field = readField(edit, offset)
    if (field === null) return false
    const [level = 0, file = 0] = field.numbers
    if (field.tag === NEW_FILE) live.set(`${level}/${file}`, file)
    if (field.tag === DELETED_FILE) live.delete(`${level}/${file}`)
    offset = field.next
  }
  return true
}

function readField(edit: Uint8Array, at: number): { tag: number; numbers: number[]; next: number } | null {
  const tag = readVarint(edit, at)
  const operands = tag === null ? undefined : OPERANDS[tag.value]
  if (tag === null || operands === undefined) return null
  const numbers: number[] = []
  let next = tag.next
  for (const operand of operands) {
    const read = readVarint(edit, next)
    if (read === null) return null
    next = operand === 'string' ? read.next + read.value : read.next
    if (operand === 'number') numbers.push(read.value)
  }
  return { tag: tag.value, numbers, next }
}
