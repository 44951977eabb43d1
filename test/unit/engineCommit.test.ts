import { describe, expect, test } from 'vitest'
import type { Batch, Database } from '../../server/engine/level/database.ts'
import { CommitPace } from '../../server/engine/level/commitPace.ts'
import { DocumentStates, newState } from '../../server/engine/level/documentStates.ts'
import { GroupCommit, MAX_BATCH_BYTES, type Write } from '../../server/engine/level/groupCommit.ts'
import { documentId } from '../../server/engine/level/keys.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'

/** A database whose batches are written when the test says so. */
class ManualDatabase {
  readonly batches: string[][] = []
  #finish: ((error: Error | null) => void) | null = null

  batch(): Batch {
    const operations: string[] = []
    const written = (): Promise<void> => {
      this.batches.push(operations)
      return new Promise((resolve, reject) => {
        this.#finish = (error) => (error === null ? resolve() : reject(error))
      })
    }
    return { put: (key: string) => operations.push(key), write: written } as unknown as Batch
  }

  async finish(clock: FakeClock, error: Error | null = null): Promise<void> {
    this.#finish?.(error)
    await clock.settle()
  }
}

interface Setup {
  readonly clock: FakeClock
  readonly database: ManualDatabase
  readonly commits: GroupCommit
  readonly log: string[]
  readonly add: (name: string, bytes?: number) => void
}

function setup(): Setup {
  const clock = new FakeClock()
  const database = new ManualDatabase()
  const log: string[] = []
  const commits = new GroupCommit({
    database: database as unknown as Database,
    sync: true,
    clock,
    onFailure: (error) => log.push(`handle failed: ${error.message}`),
  })
  const add = (name: string, bytes = 50): void => {
    const write: Write = {
      document: name,
      bytes,
      addTo: (batch) => (batch as unknown as { put(key: string): void }).put(name),
      seal: () => undefined,
      done: () => log.push(`done ${name}`),
      failed: (error) => log.push(`failed ${name}: ${error.message}`),
    }
    commits.add(write)
  }
  return { clock, database, commits, log, add }
}

describe('group commit', () => {
  test('what arrives while a batch is in flight is the next batch', async () => {
    const { clock, database, add, log } = setup()
    add('a')
    add('b')
    clock.flush()
    expect(database.batches).toEqual([['a', 'b']])
    add('c')
    add('d')
    clock.flush()
    expect(database.batches).toHaveLength(1)
    await database.finish(clock)
    expect(log).toEqual(['done a', 'done b'])
    expect(database.batches).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ])
  })

  test('a batch is bounded in bytes; a write above the bound goes alone', async () => {
    const { clock, database, add } = setup()
    add('a', MAX_BATCH_BYTES - 10)
    add('b', 20)
    add('huge', 2 * MAX_BATCH_BYTES)
    clock.flush()
    await database.finish(clock)
    await database.finish(clock)
    expect(database.batches).toEqual([['a'], ['b'], ['huge']])
  })

  test('C93: after a failed write everything is rejected, and the handle gets nothing more', async () => {
    const { clock, database, add, log, commits } = setup()
    add('a')
    clock.flush()
    add('b')
    await database.finish(clock, new Error('EIO'))
    add('c')
    await clock.settle()
    expect(log).toEqual(['handle failed: EIO', 'failed a: EIO', 'failed b: EIO', 'failed c: EIO'])
    expect(database.batches).toHaveLength(1)
    await commits.drained()
  })

  test('drained waits for what is in flight and for what is behind it', async () => {
    const { clock, database, add, commits, log } = setup()
    add('a')
    clock.flush()
    add('b')
    const drained = commits.drained().then(() => log.push('drained'))
    await database.finish(clock)
    await database.finish(clock)
    await drained
    expect(log).toEqual(['done a', 'done b', 'drained'])
  })
})

describe('the pace of commits', () => {
  function measured(writesPerSecond: number, documents: number): { pace: CommitPace; clock: FakeClock } {
    const clock = new FakeClock()
    const pace = new CommitPace(clock)
    for (let write = 0; write < writesPerSecond / 10; write++) pace.arrived(`document-${write % documents}`)
    clock.advance(100)
    return { pace, clock }
  }

  test('a lone write in a quiet server does not wait', () => {
    const { pace } = measured(20, 1)
    expect(pace.delay(1)).toBe(0)
  })

  test('many small batches from many documents: the next one gathers for up to 6 ms', () => {
    const { pace, clock } = measured(1000, 100)
    pace.began()
    clock.advance(1)
    expect(pace.delay(1)).toBe(5)
    clock.advance(5)
    expect(pace.delay(1)).toBe(0)
  })

  test('one writer that awaits each append is not slowed down', () => {
    const { pace } = measured(5000, 1)
    pace.began()
    expect(pace.delay(1)).toBe(0)
  })

  test('a batch that is already large does not wait', () => {
    const { pace } = measured(5000, 100)
    pace.began()
    expect(pace.delay(64)).toBe(0)
  })

  test('after a pause nothing is left of the busy time', () => {
    const { pace, clock } = measured(1000, 100)
    pace.began()
    expect(pace.delay(1)).toBe(6)
    clock.advance(100)
    expect(pace.delay(1)).toBe(0)
  })
})

describe('cached document states', () => {
  function states(limit: number): { cache: DocumentStates; reads: string[] } {
    const reads: string[] = []
    const cache = new DocumentStates(async (name) => {
      reads.push(name)
      return newState({ name, id: documentId(name) }, { known: false, base: 0, previous: 0, head: 0 })
    }, limit)
    return { cache, reads }
  }

  test('is bounded, and reads again what was dropped', async () => {
    const { cache, reads } = states(10)
    for (let index = 0; index < 100; index++) await cache.get(`document-${index}`)
    expect(cache.size).toBeLessThanOrEqual(11)
    await cache.get('document-0')
    expect(reads).toHaveLength(101)
  })

  test('a document with writes in flight is never dropped: its stored head is older than the sequences handed out', async () => {
    const { cache } = states(4)
    const busy = await cache.get('busy')
    busy.pending = 1
    for (let index = 0; index < 100; index++) await cache.get(`document-${index}`)
    expect(cache.cached('busy')).toBe(busy)
  })

  test('one read, however many ask, and they go on in their order', async () => {
    const { cache, reads } = states(4)
    const order: number[] = []
    await Promise.all([1, 2, 3].map((index) => cache.get('a').then(() => order.push(index))))
    expect(reads).toEqual(['a'])
    expect(order).toEqual([1, 2, 3])
  })
})
