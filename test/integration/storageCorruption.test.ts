import { join } from 'node:path'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import {
  damagedCopy,
  databaseFiles,
  flipBit,
  type Outcome,
  readEverything,
  temporaryFolder,
  updateOf,
} from './storageFiles.ts'

const DOCUMENTS = ['one', 'two', 'three']
const PER_BATCH = 5
const BATCHES = 20

/** Every batch holds PER_BATCH entries of one document; the documents take turns, and one is compacted twice. */
async function fill(directory: string): Promise<void> {
  const engine = await openLevelEngine({ directory, durability: 'os' })
  for (let batch = 0; batch < BATCHES; batch++) {
    for (const document of DOCUMENTS) {
      const values = Array.from({ length: PER_BATCH }, (_, index) => batch * PER_BATCH + index)
      const cursors = await Promise.all(values.map((value) => engine.append(document, updateOf(value))))
      if (document !== 'two' || (batch !== 5 && batch !== 11)) continue
      const { base, snapshot, tail } = await engine.load(document)
      const state = Buffer.concat([snapshot?.state ?? Buffer.alloc(0), ...tail.map((entry) => entry.update)])
      await engine.compact(document, base, cursors.at(-1) ?? '', { state, stateVector: Uint8Array.of(1, 2, 3) })
    }
  }
  await engine.close()
}

/** Moves everything from the log into a table, which is what opening a database does. */
async function moveToTable(directory: string): Promise<void> {
  const engine = await openLevelEngine({ directory, durability: 'os' })
  await engine.close()
}

function expectNothingInvented(outcome: Outcome): number {
  let count = 0
  for (const updates of outcome.updates.values()) {
    let last = -1
    for (const update of updates) {
      const value = Buffer.from(update).readUInt32BE(0)
      expect(Buffer.compare(update, updateOf(value)), 'exactly the bytes that were written').toBe(0)
      expect(value).toBeGreaterThan(last)
      last = value
    }
    count += updates.length
  }
  return count
}

async function flipEverywhere(directory: string, file: string, positions: readonly number[]): Promise<number[]> {
  const silent: number[] = []
  const copy = `${directory}-copy`
  try {
    for (const position of positions) {
      await damagedCopy(directory, copy, file, (bytes) => flipBit(bytes, position))
      const outcome = await readEverything(copy, DOCUMENTS)
      const count = expectNothingInvented(outcome)
      const reported = outcome.refused !== null || outcome.damaged || outcome.quarantined.length > 0
      if (count < BATCHES * PER_BATCH * DOCUMENTS.length && !reported) silent.push(position)
    }
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
  return silent
}

function positions(length: number, step: number): number[] {
  return Array.from({ length: Math.ceil(length / step) }, (_, index) => index * step)
}

describe('a damaged database', () => {
  test('C82: a log cut at any offset gives a prefix in whole batches', async () => {
    await using folder = await temporaryFolder()
    const directory = join(folder.path, 'data')
    await fill(directory)
    const [log] = await databaseFiles(directory, '.log')
    if (log === undefined) throw new Error('there is a log')
    const { length } = await readFile(log)
    for (const size of positions(length, 997)) {
      const copy = join(folder.path, 'copy')
      await damagedCopy(directory, copy, log, (bytes) => bytes.subarray(0, size))
      const outcome = await readEverything(copy, ['one', 'three'])
      expect(outcome).toMatchObject({ refused: null, damaged: false, quarantined: [] })
      for (const updates of outcome.updates.values()) {
        expect(updates.length % PER_BATCH).toBe(0)
        expect(updates.map((update) => Buffer.from(update).readUInt32BE(0))).toEqual(updates.map((_, index) => index))
      }
    }
  })

  test('C96: a flipped bit anywhere in the log is never returned as data, and what it cost is reported', async () => {
    await using folder = await temporaryFolder()
    const directory = join(folder.path, 'data')
    await fill(directory)
    const [log] = await databaseFiles(directory, '.log')
    if (log === undefined) throw new Error('there is a log')
    expect(await flipEverywhere(directory, log, positions((await readFile(log)).length, 509))).toEqual([])
  })

  test('C96: a flipped bit anywhere in a table is never returned as data, and what it cost is reported', async () => {
    await using folder = await temporaryFolder()
    const directory = join(folder.path, 'data')
    await fill(directory)
    await moveToTable(directory)
    const [table] = await databaseFiles(directory, '.ldb')
    if (table === undefined) throw new Error('there is a table')
    expect(await flipEverywhere(directory, table, positions((await readFile(table)).length, 199))).toEqual([])
  })

  test('C96: a table that cannot be given to LevelDB is refused in words, and a copy is kept', async () => {
    await using folder = await temporaryFolder()
    const directory = join(folder.path, 'data')
    await fill(directory)
    await moveToTable(directory)
    const [table] = await databaseFiles(directory, '.ldb')
    if (table === undefined) throw new Error('there is a table')
    const { length } = await readFile(table)
    const copy = join(folder.path, 'copy')
    // The last bytes before the footer are the index: a damaged one makes LevelDB abort the process.
    await damagedCopy(directory, copy, table, (bytes) => flipBit(bytes, length - 60))
    const opening = openLevelEngine({ directory: copy, durability: 'os' })
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await expect(opening).rejects.toThrow(copy)
    const [kept] = await readdir(join(copy, 'quarantine'))
    expect(kept).toMatch(/^table-/)
  })

  test('C77: what a killed process left half written beside the live tables is not damage', async () => {
    await using folder = await temporaryFolder()
    const directory = join(folder.path, 'data')
    await fill(directory)
    await moveToTable(directory)
    await writeFile(join(directory, 'leveldb', '009999.ldb'), Buffer.alloc(1000, 7))
    const outcome = await readEverything(directory, DOCUMENTS)
    expect(outcome).toMatchObject({ refused: null, damaged: false, quarantined: [] })
    expect(expectNothingInvented(outcome)).toBe(BATCHES * PER_BATCH * DOCUMENTS.length)
  })
})
