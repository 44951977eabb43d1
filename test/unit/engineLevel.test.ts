import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Cursor, Engine, EngineHealth } from '../../server/engine/engine.ts'
import { crc32c } from '../../server/engine/level/crc32c.ts'
import {
  documentId,
  META,
  nameRange,
  nameKey,
  readSequence,
  recordKey,
  SNAPSHOT,
} from '../../server/engine/level/keys.ts'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import { findLogDamage } from '../../server/engine/level/logCheck.ts'
import type { QuarantineInfo } from '../../server/engine/level/quarantine.ts'
import { openRecord, sealRecord } from '../../server/engine/level/record.ts'
import { temporaryFolder, updateOf, valueOf } from '../integration/storageFiles.ts'

type RawDatabase = ClassicLevel<Uint8Array, Uint8Array>

afterEach(() => {
  vi.restoreAllMocks()
})

/** Changes a closed database behind the engine's back. */
async function tamper(directory: string, change: (database: RawDatabase) => Promise<void>): Promise<void> {
  const database: RawDatabase = new ClassicLevel(join(directory, 'leveldb'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
    compression: false,
  })
  await change(database)
  await database.close()
}

async function flipValue(database: RawDatabase, key: Uint8Array): Promise<Uint8Array> {
  const value = await database.get(key)
  if (value === undefined) throw new Error('the record is there')
  const raw = Uint8Array.from(value)
  raw[raw.length - 1] = (raw.at(-1) ?? 0) ^ 1
  await database.put(key, raw)
  return raw
}

const snapshotOf = (...values: number[]): { state: Uint8Array; stateVector: Uint8Array } => ({
  state: Uint8Array.from(values),
  stateVector: Uint8Array.of(1),
})

/** Entries 1-6; snapshots of 1-2 (previous generation) and 1-4 (current). */
async function twoGenerations(directory: string): Promise<Cursor[]> {
  const engine = await openLevelEngine({ directory, durability: 'os' })
  const cursors: Cursor[] = []
  for (let value = 1; value <= 6; value++) cursors.push(await engine.append('a', updateOf(value)))
  await engine.compact('a', null, cursors[1] ?? '', snapshotOf(1, 2))
  await engine.compact('a', cursors[1] ?? '', cursors[3] ?? '', snapshotOf(1, 2, 3, 4))
  await engine.close()
  return cursors
}

async function values(engine: Engine): Promise<number[]> {
  const { snapshot, tail } = await engine.load('a')
  return [...(snapshot?.state ?? []), ...tail.map((entry) => valueOf(entry.update))]
}

describe('unreadable records', () => {
  const id = documentId('a')

  async function openTampered(
    directory: string,
    change: (database: RawDatabase) => Promise<void>,
  ): Promise<{ engine: Engine; quarantined: QuarantineInfo[] }> {
    await tamper(directory, change)
    const quarantined: QuarantineInfo[] = []
    const engine = await openLevelEngine({
      directory,
      durability: 'os',
      onQuarantine: (info) => quarantined.push(info),
    })
    return { engine, quarantined }
  }

  test('C98: an unreadable snapshot: the previous generation and all entries after it give the same document', async () => {
    await using folder = await temporaryFolder()
    const cursors = await twoGenerations(folder.path)
    let raw = new Uint8Array()
    const { engine, quarantined } = await openTampered(folder.path, async (database) => {
      raw = Uint8Array.from(await flipValue(database, recordKey(id, SNAPSHOT, 4)))
    })
    const loaded = await engine.load('a')
    expect(loaded).toMatchObject({ damaged: true, base: cursors[1], head: cursors[5] })
    expect(await values(engine)).toEqual([1, 2, 3, 4, 5, 6])
    expect(quarantined).toMatchObject([{ document: 'a' }])
    const kept = await readFile(quarantined[0]?.file ?? '')
    expect(Buffer.compare(kept.subarray(kept.indexOf('\n') + 1), raw)).toBe(0)

    expect(await engine.compact('a', cursors[3] ?? '', cursors[5] ?? '', snapshotOf(9))).toBe(true)
    await engine.close()
  })

  test('C98: after a fallback, compaction from the older base heals the document and keeps the readable generation', async () => {
    await using folder = await temporaryFolder()
    await twoGenerations(folder.path)
    const { engine } = await openTampered(folder.path, async (database) => {
      await flipValue(database, recordKey(id, SNAPSHOT, 4))
    })
    const loaded = await engine.load('a')
    const whole = snapshotOf(1, 2, 3, 4, 5, 6)
    expect(await engine.compact('a', loaded.base, loaded.head ?? '', whole)).toBe(true)
    expect(await engine.load('a')).toMatchObject({ damaged: false, tail: [] })
    expect(await values(engine)).toEqual([1, 2, 3, 4, 5, 6])
    expect(await engine.tail('a', loaded.base ?? '')).toHaveLength(4)
    await engine.close()
  })

  test.each([0, 1, 0.5, 0.99])(
    'C98: a snapshot cut to %d of its length is never served and never the empty document',
    async (part) => {
      await using folder = await temporaryFolder()
      await twoGenerations(folder.path)
      const { engine } = await openTampered(folder.path, async (database) => {
        for (const sequence of [2, 4]) {
          const key = recordKey(id, SNAPSHOT, sequence)
          const value = (await database.get(key)) ?? new Uint8Array()
          await database.put(key, value.subarray(0, Math.min(value.length - 1, Math.floor(value.length * part))))
        }
      })
      const loaded = await engine.load('a')
      expect(loaded).toMatchObject({ damaged: true, snapshot: null, base: null })
      expect(await values(engine)).toEqual([3, 4, 5, 6])
      await engine.close()
    },
  )

  test('C96: an unreadable and a missing entry: the rest is returned, marked, kept once, and left in place', async () => {
    await using folder = await temporaryFolder()
    await twoGenerations(folder.path)
    const { engine, quarantined } = await openTampered(folder.path, (database) =>
      flipValue(database, recordKey(id, 1, 5)).then(() => undefined),
    )
    expect(await values(engine)).toEqual([1, 2, 3, 4, 6])
    await Promise.all([engine.load('a'), engine.load('a')])
    expect((await engine.load('a')).damaged).toBe(true)
    expect(quarantined).toHaveLength(1)
    expect(await readdir(join(folder.path, 'quarantine'))).toHaveLength(1)
    await engine.append('a', updateOf(7))
    expect(await values(engine)).toEqual([1, 2, 3, 4, 6, 7])
    await engine.close()
    const missing = await openTampered(folder.path, (database) => database.del(recordKey(id, 1, 5)))
    expect((await missing.engine.load('a')).damaged).toBe(true)
    await missing.engine.close()
  })

  test('C96: the loss of the last entries is seen, and their sequences are not used again', async () => {
    await using folder = await temporaryFolder()
    const cursors = await twoGenerations(folder.path)
    const { engine } = await openTampered(folder.path, (database) => database.del(recordKey(id, 1, 6)))
    expect(await engine.load('a')).toMatchObject({ damaged: true, head: cursors[5] })
    expect(await engine.append('a', updateOf(7))).toBe((cursors[5] ?? '').replace(/6$/, '7'))
    await engine.close()
  })

  test('C98: without a readable meta record the document is pieced together, marked, and nothing is overwritten', async () => {
    await using folder = await temporaryFolder()
    const cursors = await twoGenerations(folder.path)
    for (const damage of [
      (database: RawDatabase) => flipValue(database, recordKey(id, META, 0)).then(() => undefined),
      (database: RawDatabase) => database.del(recordKey(id, META, 0)),
    ]) {
      const { engine } = await openTampered(folder.path, damage)
      expect(await engine.load('a')).toMatchObject({ damaged: true, base: cursors[3], head: cursors[5] })
      expect(await values(engine)).toEqual([1, 2, 3, 4, 5, 6])
      await engine.close()
    }
    const engine = await openLevelEngine({ directory: folder.path, durability: 'os' })
    expect(await engine.append('a', updateOf(7))).toBe((cursors[5] ?? '').replace(/6$/, '7'))
    expect(await values(engine)).toEqual([1, 2, 3, 4, 5, 6, 7])
    await engine.close()
  })

  test('two names with one identifier are an error, not one document', async () => {
    await using folder = await temporaryFolder()
    await twoGenerations(folder.path)
    const { engine } = await openTampered(folder.path, async (database) => {
      const key = recordKey(documentId('b'), META, 0)
      await database.put(key, sealRecord(key, Buffer.concat([new Uint8Array(24), Buffer.from('other')])))
    })
    await expect(engine.load('b')).rejects.toMatchObject({ code: 'STORAGE_FOREIGN' })
    await expect(engine.append('b', updateOf(1))).rejects.toMatchObject({ code: 'STORAGE_FOREIGN' })
    await engine.close()
  })
})

describe('a failed write', () => {
  type Timing = 'before' | 'after'

  /** Makes the next batch fail, before or after it was written. */
  function failNextBatch(timing: Timing): void {
    const original = Reflect.get(ClassicLevel.prototype, 'batch') as () => { write(options: object): Promise<void> }
    vi.spyOn(ClassicLevel.prototype, 'batch').mockImplementationOnce(function (this: unknown) {
      const batch = original.call(this)
      const write = batch.write.bind(batch)
      batch.write = async (options) => {
        if (timing === 'after') await write(options)
        throw new Error('EIO: injected')
      }
      return batch as never
    })
  }

  test.each(['before', 'after'] as const)(
    'C93: %s it reached the disk: rejected, reopened, and appending again loses and repeats nothing wrongly',
    async (timing) => {
      await using folder = await temporaryFolder()
      const states: EngineHealth['state'][] = []
      let recovered = (): void => undefined
      const recovery = new Promise<void>((resolve) => (recovered = resolve))
      const engine = await openLevelEngine({
        directory: folder.path,
        durability: 'os',
        onHealth: ({ state }) => {
          states.push(state)
          if (state === 'ok') recovered()
        },
      })
      await engine.append('a', updateOf(1))
      failNextBatch(timing)
      const failing = [engine.append('a', updateOf(2)), engine.append('b', updateOf(3))]
      for (const append of failing) await expect(append).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      expect(engine.health().state).toBe('failing')
      await expect(engine.load('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      await expect(engine.append('a', updateOf(4))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
      await recovery
      expect(states).toEqual(['failing', 'ok'])
      await engine.append('a', updateOf(2))
      expect(await values(engine)).toEqual(timing === 'after' ? [1, 2, 2] : [1, 2])
      expect((await engine.load('a')).damaged).toBe(false)
      await engine.close()
    },
  )

  test('C92: while reopening fails, it is tried again; closing meanwhile ends it', async () => {
    await using folder = await temporaryFolder()
    const engine = await openLevelEngine({ directory: folder.path, durability: 'os' })
    await engine.append('a', updateOf(1))
    failNextBatch('before')
    const open = vi.spyOn(ClassicLevel.prototype, 'open').mockRejectedValue(new Error('IO error: no space'))
    await expect(engine.append('a', updateOf(2))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect.poll(() => open.mock.calls.length).toBeGreaterThanOrEqual(2)
    expect(engine.health().state).toBe('failing')
    await engine.close()
    await expect(engine.append('a', updateOf(2))).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })
})

test.each([
  { durability: 'fsync', sync: true },
  { durability: 'os', sync: false },
] as const)('C77: with durability $durability every kind of write is handed over with sync $sync', async (level) => {
  await using folder = await temporaryFolder()
  const engine = await openLevelEngine({ directory: folder.path, durability: level.durability })
  const original = Reflect.get(ClassicLevel.prototype, 'batch') as () => { write(options: object): Promise<void> }
  const written: object[] = []
  vi.spyOn(ClassicLevel.prototype, 'batch').mockImplementation(function (this: unknown) {
    const batch = original.call(this)
    const write = batch.write.bind(batch)
    batch.write = (options) => {
      written.push(options)
      return write(options)
    }
    return batch as never
  })
  const cursor = await engine.append('a', updateOf(1))
  await engine.compact('a', null, cursor, snapshotOf(1))
  await engine.remove('a')
  await engine.close()
  expect(written).toEqual([{ sync: level.sync }, { sync: level.sync }, { sync: level.sync }])
})

describe('byte layouts', () => {
  test('CRC-32C of the standard check string, in bulk and in single bytes', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
  })

  test('a record is valid under its own key only', () => {
    const [one, two] = [recordKey(documentId('a'), 1, 1), recordKey(documentId('a'), 1, 2)]
    const record = sealRecord(one, Uint8Array.of(1, 2, 3))
    expect([...(openRecord(one, record) ?? [])]).toEqual([1, 2, 3])
    expect(openRecord(two, record)).toBeNull()
    for (let size = 0; size < record.length; size++) expect(openRecord(one, record.subarray(0, size))).toBeNull()
  })

  test('sequences sort as numbers up to 2^53', () => {
    const sequences = [1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
    const keys = sequences.map((sequence) => recordKey(documentId('a'), 1, sequence))
    expect([...keys].sort((left, right) => Buffer.compare(left, right))).toEqual(keys)
    expect(keys.map((key) => readSequence(key, 18))).toEqual(sequences)
  })

  test('a page of names starts after the last one, never before the prefix', () => {
    const range = nameRange('room/', 'room/7')
    expect(range).toMatchObject({ gt: nameKey('room/7'), lt: nameKey('room0') })
    expect(nameRange('room/', 'a')).toMatchObject({ gte: nameKey('room/') })
  })

  test('C82: an empty, a short and a zero-filled log are not damaged', () => {
    for (const log of [Buffer.alloc(0), Buffer.alloc(5), Buffer.alloc(100_000)]) expect(findLogDamage(log)).toBeNull()
  })
})
