import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StorageError } from '../../shared/errors.ts'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import type { Engine } from '../../server/engine/engine.ts'
import type { QuarantineInfo } from '../../server/engine/level/quarantine.ts'

/** A folder that is gone when the test is over. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'scriptorium-storage-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export async function databaseFiles(directory: string, extension: string): Promise<string[]> {
  const folder = join(directory, 'leveldb')
  const files = (await readdir(folder)).filter((file) => file.endsWith(extension)).sort()
  return files.map((file) => join(folder, file))
}

/** A copy of a data directory in which one file was changed. */
export async function damagedCopy(
  original: string,
  copy: string,
  file: string,
  change: (bytes: Buffer) => Buffer,
): Promise<void> {
  await rm(copy, { recursive: true, force: true })
  await cp(original, copy, { recursive: true })
  const target = file.replace(original, copy)
  await writeFile(target, change(await readFile(target)))
}

export function flipBit(bytes: Buffer, position: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped.writeUInt8(flipped.readUInt8(position) ^ (1 << (position % 8)), position)
  return flipped
}

export function valueOf(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32BE(0)
}

/** A 4-byte number and 40 bytes that depend on it, so that a damaged value is not mistaken for another valid one. */
export function updateOf(value: number): Uint8Array {
  const update = Buffer.alloc(44, value % 251)
  update.writeUInt32BE(value, 0)
  return update
}

export interface Outcome {
  /** Why opening or loading was refused, if it was. */
  readonly refused: string | null
  readonly damaged: boolean
  readonly quarantined: readonly QuarantineInfo[]
  /** Updates as they came back, by document. */
  readonly updates: ReadonlyMap<string, readonly Uint8Array[]>
}

/** Opens a data directory and reads everything in it. */
export async function readEverything(directory: string, documents: readonly string[]): Promise<Outcome> {
  const quarantined: QuarantineInfo[] = []
  const updates = new Map<string, readonly Uint8Array[]>()
  let engine: Engine | null = null
  let damaged = false
  try {
    engine = await openLevelEngine({ directory, durability: 'os', onQuarantine: (info) => quarantined.push(info) })
    for (const document of documents) {
      const loaded = await engine.load(document)
      damaged ||= loaded.damaged
      const snapshot = loaded.snapshot === null ? [] : splitState(loaded.snapshot.state)
      updates.set(document, [...snapshot, ...loaded.tail.map((entry) => entry.update)])
    }
    return { refused: null, damaged, quarantined, updates }
  } catch (thrown) {
    if (!(thrown instanceof StorageError)) throw thrown
    return { refused: thrown.code, damaged, quarantined, updates }
  } finally {
    await engine?.close()
  }
}

/** States of these tests are updates one after the other. */
function splitState(state: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let offset = 0; offset < state.length; offset += 44) parts.push(state.subarray(offset, offset + 44))
  return parts
}
