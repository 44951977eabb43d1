import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import { readEverything, temporaryFolder, updateOf, valueOf } from './storageFiles.ts'

const DOCUMENTS = ['document-0', 'document-1', 'document-2', 'document-3']

interface Line {
  readonly ready?: true
  readonly ack?: number
  readonly document?: string
  readonly failed?: string
  readonly health?: string
}

/** A writing process, and the journal of what it was told is durable. */
class Writer {
  readonly acknowledged: number[] = []
  readonly events: Line[] = []
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  readonly #watchers = new Set<() => void>()

  constructor(directory: string, durability: 'fsync' | 'os', first = 0) {
    const script = join(import.meta.dirname, 'storageChild.ts')
    const args = ['--import', 'tsx', script, directory, durability, String(first)]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    if (this.#child.stdout === null) throw new Error('the child has an output')
    const lines = createInterface({ input: this.#child.stdout })
    lines.on('line', (line) => this.#read(line))
    this.#exited = new Promise((resolve) => {
      lines.once('close', resolve)
    })
  }

  /** Resolves once the condition holds; it is looked at after every line. */
  async until(condition: () => boolean): Promise<void> {
    let stop = (): void => undefined
    const holds = new Promise<void>((resolve) => {
      const watch = (): void => {
        if (condition()) resolve()
      }
      this.#watchers.add(watch)
      stop = () => this.#watchers.delete(watch)
      watch()
    })
    const ended = this.#exited.then(() => Promise.reject(new Error('the writing process ended by itself')))
    await Promise.race([holds, ended]).finally(stop)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #read(line: string): void {
    // The last line may be cut by the kill: then its acknowledgement was not given.
    if (!line.endsWith('}')) return
    const event = JSON.parse(line) as Line
    if (event.ack === undefined) this.events.push(event)
    else this.acknowledged.push(event.ack)
    for (const watch of this.#watchers) watch()
  }
}

async function expectAllPresent(directory: string, acknowledged: readonly number[]): Promise<void> {
  const outcome = await readEverything(directory, DOCUMENTS)
  expect(outcome).toMatchObject({ refused: null, damaged: false, quarantined: [] })
  const present = new Set([...outcome.updates.values()].flat().map(valueOf))
  expect(acknowledged.filter((value) => !present.has(value))).toEqual([])
}

/** Starting a process takes about a second on a busy machine. */
const PROCESS_TEST_MS = 120_000

describe('a process killed while writing', { timeout: PROCESS_TEST_MS }, () => {
  const levels = [
    { level: 'fsync', rounds: 10 },
    { level: 'os', rounds: 5 },
  ] as const
  test.each(levels)(
    'C77, C79: $rounds times kill -9, $level: nothing acknowledged is lost',
    async ({ level, rounds }) => {
      await using folder = await temporaryFolder()
      const acknowledged: number[] = []
      for (let round = 0; round < rounds; round++) {
        const writer = new Writer(folder.path, level, round * 1_000_000)
        await writer.until(() => writer.acknowledged.length >= 20 + round * 37)
        await writer.kill()
        acknowledged.push(...writer.acknowledged)
        await expectAllPresent(folder.path, acknowledged)
      }
    },
  )

  test('C103: a second process is refused in words, the first goes on; a killed one leaves no lock', async () => {
    await using folder = await temporaryFolder()
    const writer = new Writer(folder.path, 'os')
    await writer.until(() => writer.acknowledged.length > 0)
    const opening = openLevelEngine({ directory: folder.path, durability: 'os' })
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_LOCKED' })
    await expect(opening).rejects.toThrow(/in use by another process/)
    const before = writer.acknowledged.length
    await writer.until(() => writer.acknowledged.length > before + 50)
    await writer.kill()
    const engine = await openLevelEngine({ directory: folder.path, durability: 'os' })
    await engine.close()
  })
})

/** A file system of its own, or the reason why there is none here. */
function mountSmall(path: string): string | null {
  if (process.platform !== 'linux') return `tmpfs needs Linux, this is ${process.platform}`
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', path], { stdio: 'pipe' })
    return null
  } catch (thrown) {
    return `mount -t tmpfs failed (root is needed): ${String(thrown).split('\n')[0] ?? ''}`
  }
}

async function fillDisk(ballast: string): Promise<void> {
  for (let bytes = 3 * 1024 * 1024; bytes >= 1024; bytes = Math.floor(bytes / 2)) {
    await writeFile(ballast, Buffer.alloc(bytes), { flag: 'a' }).catch(() => undefined)
  }
}

describe('a full disk', { timeout: PROCESS_TEST_MS }, () => {
  test('C91, C92: acknowledgements stop, health says failing; with space again all of them are there', async (context) => {
    await using folder = await temporaryFolder()
    const reason = mountSmall(folder.path)
    if (reason !== null) {
      process.stdout.write(`skipped: disk full: ${reason}\n`)
      context.skip()
      return
    }
    const directory = join(folder.path, 'data')
    const ballast = join(folder.path, 'ballast')
    const writer = new Writer(directory, 'fsync')
    try {
      await writer.until(() => writer.acknowledged.length >= 100)
      await fillDisk(ballast)
      await writer.until(() => writer.events.some(({ health }) => health === 'failing'))
      // Whatever is acknowledged from here on comes from a reopened database: the journal must still be complete.
      await writer.until(() => writer.events.filter(({ failed }) => failed !== undefined).length >= 40)
      expect(writer.events.filter(({ failed }) => failed !== undefined && failed !== 'STORAGE_UNAVAILABLE')).toEqual([])
      await rm(ballast)
      await writer.until(() => writer.events.at(-1)?.health === 'ok')
      const before = writer.acknowledged.length
      await writer.until(() => writer.acknowledged.length >= before + 50)
      await writer.kill()
      await expectAllPresent(directory, writer.acknowledged)
    } finally {
      await writer.kill()
      execFileSync('umount', [folder.path])
    }
  })
})

async function filled(directory: string): Promise<void> {
  const engine = await openLevelEngine({ directory, durability: 'os' })
  await engine.append('a', updateOf(1))
  await engine.close()
}

describe('a data directory that is not as it was left', () => {
  test('C98: a database without CURRENT is refused, and nothing is created in its place', async () => {
    await using folder = await temporaryFolder()
    await filled(folder.path)
    await rm(join(folder.path, 'leveldb', 'CURRENT'))
    const opening = openLevelEngine({ directory: folder.path, durability: 'os' })
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_MISSING' })
    await expect(readFile(join(folder.path, 'leveldb', 'CURRENT'))).rejects.toThrow(/ENOENT/)
  })

  test('C98: a database folder that is gone altogether is refused', async () => {
    await using folder = await temporaryFolder()
    await filled(folder.path)
    await rm(join(folder.path, 'leveldb'), { recursive: true })
    const opening = openLevelEngine({ directory: folder.path, durability: 'os' })
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_MISSING' })
  })

  test('C98: a database without our marker, or with one of another format, is foreign', async () => {
    await using folder = await temporaryFolder()
    await filled(folder.path)
    const marker = join(folder.path, 'scriptorium.json')
    const original = await readFile(marker, 'utf8')
    for (const content of [original.replace('"format":1', '"format":2'), '', '{}', 'null', original.slice(0, -10)]) {
      await writeFile(marker, content)
      const opening = openLevelEngine({ directory: folder.path, durability: 'os' })
      await expect(opening).rejects.toMatchObject({ code: 'STORAGE_FOREIGN' })
    }
    await rm(marker)
    const opening = openLevelEngine({ directory: folder.path, durability: 'os' })
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_FOREIGN' })
    await writeFile(marker, original)
    const outcome = await readEverything(folder.path, ['a'])
    expect(outcome.updates.get('a')).toHaveLength(1)
  })

  test('C104: a directory that cannot be created is named in the error', async () => {
    await using folder = await temporaryFolder()
    const file = join(folder.path, 'file')
    await writeFile(file, '')
    const opening = openLevelEngine({ directory: join(file, 'data'), durability: 'os' })
    await expect(opening).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(opening).rejects.toThrow(join(file, 'data'))
  })

  test('C104: a read-only directory is named in the error', async (context) => {
    await using folder = await temporaryFolder()
    if (process.getuid?.() === 0) {
      process.stdout.write('skipped: read-only directory: root may write everywhere\n')
      context.skip()
      return
    }
    const readOnly = join(folder.path, 'readonly')
    await mkdir(readOnly)
    await chmod(readOnly, 0o500)
    await expect(openLevelEngine({ directory: readOnly, durability: 'os' })).rejects.toThrow(readOnly)
  })

  test('C82: a start that was interrupted while creating is finished by the next one', async () => {
    await using folder = await temporaryFolder()
    const marker = { format: 1, epoch: 'abc123', state: 'creating' }
    await writeFile(join(folder.path, 'scriptorium.json'), JSON.stringify(marker))
    await filled(folder.path)
    expect((await readEverything(folder.path, ['a'])).updates.get('a')).toHaveLength(1)
  })
})
