import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import type { Cursor, Engine, Entry, Message, Sink } from '../../server/engine/engine.ts'
import { openHostedEngine } from '../../server/engine/host/hostedEngine.ts'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { eventually } from '../support/eventually.ts'
import { HostedEngines } from '../support/workersEngine.ts'

const MIB = 1024 * 1024

/** Notes what one process is told. */
class Follower implements Sink {
  readonly updates: number[][] = []
  readonly messages: Message[] = []
  readonly gone: string[] = []
  stales = 0

  entry({ update }: Entry): void {
    this.updates.push([...update.subarray(0, 4)])
  }

  message({ from, kind, bytes }: Message): void {
    this.messages.push({ from, kind, bytes: bytes.slice() })
  }

  left(node: string): void {
    this.gone.push(node)
  }

  stale(): void {
    this.stales += 1
  }
}

const open: HostedEngines[] = []

afterEach(async () => {
  for (const engines of open.splice(0)) await engines.dispose()
})

async function over<Storage extends Engine>(engine: Storage): Promise<{ engines: HostedEngines; engine: Storage }> {
  const engines = await HostedEngines.over(engine)
  open.push(engines)
  return { engines, engine }
}

/** When the host has answered this, it has heard what the process said before. */
async function heardOf(process: Engine): Promise<void> {
  await process.append('elsewhere', numbered(0))
}

const sequence = (cursor: Cursor | null): number => Number(cursor?.split('-')[1] ?? 0)

const numbered = (number: number, size = 4): Uint8Array => {
  const bytes = new Uint8Array(size)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}
const numbers = (from: number, to: number): number[][] =>
  Array.from({ length: to - from }, (_, index) => Array.from(numbered(from + index)))

describe('what one process appends', () => {
  test('W3: reaches the others in the order of the log, and no position runs ahead of it, while all append', async () => {
    const { engines, engine } = await over(new MemoryEngine())
    const processes = await Promise.all([engines.open(), engines.open(), engines.open()])
    const followers = processes.map(() => new Follower())
    // Where each was said to be at some moment, and how many entries of others it had been told of by then.
    const looks = processes.map(() => [] as { position: number; told: number }[])
    for (let index = 0; index < 100; index += 1) await engine.append('a', numbered(9000 + index))
    await Promise.all(
      processes.map(async (process, at) => {
        const subscription = process.subscribe('a', null, followers[at]!)
        const one = async (number: number): Promise<void> => {
          await process.append('a', numbered(number))
          looks[at]!.push({ position: sequence(subscription.position), told: followers[at]!.updates.length })
        }
        await Promise.all(Array.from({ length: 300 }, (_, index) => one(at * 1000 + index)))
      }),
    )
    const log = (await engine.load('a')).tail.map(({ update }) => Array.from(update))
    for (const [at, follower] of followers.entries()) {
      const isOther = (update: readonly number[]): boolean => Math.floor((update[2]! * 256 + update[3]!) / 1000) !== at
      await eventually(() => follower.updates.length >= 700, 'all entries of the others have come')
      expect(follower.updates.filter(isOther)).toEqual(log.filter(isOther))
      const ahead = looks[at]!.filter(({ position, told }) => log.slice(0, position).filter(isOther).length > told)
      expect(ahead).toEqual([])
      expect(looks[at]!.at(-1)?.position).toBeGreaterThan(500)
    }
  })

  test('W3: appends of one process to one document keep their order, large and small', async () => {
    const { engines, engine } = await over(new MemoryEngine())
    const process = await engines.open()
    const sizes = [4, 20_000, 5, MIB, 4, 100_000, 4]
    await Promise.all(sizes.map((size, index) => process.append('a', numbered(index, size))))
    const { tail } = await engine.load('a')
    expect(tail.map(({ update }) => [update[3], update.length])).toEqual(sizes.map((size, index) => [index, size]))
  })

  test('W3: its own position moves on with what it and the others append, and not before', async () => {
    const { engines } = await over(new MemoryEngine())
    const [here, there] = [await engines.open(), await engines.open()]
    const follower = new Follower()
    const subscription = here.subscribe('a', null, follower)
    await heardOf(here)
    expect(subscription.position).toBe(null)
    const first = await there.append('a', numbered(1))
    await eventually(() => subscription.position === first, 'the entry of the other one counts')
    expect(follower.updates).toEqual(numbers(1, 2))
    const second = await here.append('a', numbered(2))
    expect(subscription.position).toBe(second)
    expect(follower.updates).toEqual(numbers(1, 2))
  })

  test('W3: as long as what was missed is still being read, what it appends does not move its position', async () => {
    const { engines, engine } = await over(new FaultyEngine(new MemoryEngine()))
    const [here, there] = [await engines.open(), await engines.open()]
    await there.append('a', numbered(1))
    const release = engine.hold('load')
    const follower = new Follower()
    const subscription = here.subscribe('a', null, follower)
    await here.append('a', numbered(2))
    expect([subscription.position, follower.updates]).toEqual([null, []])
    release()
    await eventually(() => follower.updates.length > 0, 'what was missed has come')
    expect(follower.updates[0]).toEqual([...numbered(1)])
    const cursor = await here.append('a', numbered(3))
    expect(subscription.position).toBe(cursor)
  })

  test('W5: an entry whose append failed and that is in the log all the same is not kept from the others', async () => {
    const { engines, engine } = await over(new FaultyEngine(new MemoryEngine()))
    const [author, reader, other] = [await engines.open(), await engines.open(), await engines.open()]
    const follower = new Follower()
    reader.subscribe('a', null, follower)
    await author.append('a', numbered(1))
    engine.fail('append', 1, 'after')
    await expect(author.append('a', numbered(2))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    // The author is gone and repeats nothing.
    await author.close()
    await other.append('a', numbered(3))
    await eventually(() => follower.updates.length >= 3, 'the log has come, without a hole')
    expect(follower.updates).toEqual(numbers(1, 4))
  })
})

describe('a process that does not read', () => {
  test('W4: costs a bounded amount; when it reads again it gets everything, in order, from the log', async () => {
    const { engines, engine } = await over(new FaultyEngine(new MemoryEngine()))
    const [writer, socket] = [await engines.open(), await engines.connect()]
    const slow = await openHostedEngine({ socket })
    const follower = new Follower()
    slow.subscribe('a', null, follower)
    await heardOf(slow)
    const readBefore = engine.calls('tail')
    socket.pause()
    for (let index = 0; index < 80; index += 1) await writer.append('a', numbered(index, MIB))
    writer.publish('a', 'note', numbered(7))
    expect(engine.calls('tail'), 'nothing is read from the log for it').toBe(readBefore)
    socket.resume()
    await eventually(() => follower.updates.length >= 80, 'it has caught up')
    expect(engine.calls('tail'), 'what it had missed was read from the log').toBeGreaterThan(readBefore)
    expect(follower.updates).toEqual(numbers(0, 80))
    await writer.append('a', numbered(80))
    await eventually(() => follower.updates.length === 81, 'it follows again')
    expect(follower.stales).toBe(0)
  })

  test('W4: whose place in the log has been trimmed meanwhile is told to load anew', async () => {
    const { engines } = await over(new MemoryEngine())
    const [writer, socket] = [await engines.open(), await engines.connect()]
    const slow = await openHostedEngine({ socket })
    const follower = new Follower()
    slow.subscribe('a', null, follower)
    await heardOf(slow)
    socket.pause()
    let base: Cursor | null = null
    for (let index = 0; index < 80; index += 1) {
      const cursor = await writer.append('a', numbered(index, MIB))
      if (index % 20 !== 19) continue
      const snapshot = { state: numbered(index), stateVector: numbered(index) }
      expect(await writer.compact('a', base, cursor, snapshot)).toBe(true)
      base = cursor
    }
    socket.resume()
    await eventually(() => follower.stales === 1, 'it is told')
  })
})

describe('what processes say to one another', () => {
  test('W6: a message reaches all others that follow the document, with its sender; nobody hears himself', async () => {
    const { engines } = await over(new MemoryEngine())
    const processes = await Promise.all([engines.open(), engines.open(), engines.open()])
    const followers = processes.map(() => new Follower())
    for (const [at, process] of processes.entries()) process.subscribe(at === 2 ? 'b' : 'a', null, followers[at]!)
    await Promise.all(processes.map(heardOf))
    const [here, there] = processes
    const bytes = numbered(5, 40_000)
    here.publish('a', 'presence', bytes)
    bytes.fill(9) // may be used again at once
    await eventually(() => followers[1]!.messages.length === 1, 'it has come')
    const [{ from, kind, bytes: heard } = { from: '', kind: '', bytes: new Uint8Array() }] = followers[1]!.messages
    expect([from, kind, heard.length, heard[3]]).toEqual([here.node, 'presence', 40_000, 5])
    await there.append('b', numbered(1))
    await eventually(() => followers[2]!.updates.length === 1, 'the third one hears of its own document')
    expect([followers[0]!.messages, followers[2]!.messages]).toEqual([[], []])
  })

  test.each(['closes', 'dies'])('W6: when a process %s, the others that follow its documents are told', async (how) => {
    const { engines } = await over(new MemoryEngine())
    const socket = await engines.connect()
    const [going, staying] = [await openHostedEngine({ socket }), await engines.open()]
    const follower = new Follower()
    staying.subscribe('a', null, follower)
    await heardOf(staying)
    if (how === 'closes') await going.close()
    else socket.destroy()
    await eventually(() => follower.gone.length === 1, 'it is told')
    expect(follower.gone).toEqual([going.node])
  })
})

describe('trouble', () => {
  test('E1: errors of the storage arrive with their code and words', async () => {
    const faulty = new FaultyEngine(new MemoryEngine())
    const { engines } = await over(faulty)
    const process = await engines.open()
    faulty.fail('append', 1)
    await expect(process.append('a', numbered(1))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await process.append('a', numbered(1))
  })

  test('W7: when the host is gone, everything that waits is refused, and so is everything after', async () => {
    const faulty = new FaultyEngine(new MemoryEngine())
    const { engines } = await over(faulty)
    let lost = 0
    const process = await engines.open({ onLost: () => (lost += 1) })
    faulty.hold('append')
    const waiting = process.append('a', numbered(1))
    engines.host.close()
    await expect(waiting).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(process.load('a')).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect([lost, process.health().state]).toEqual([1, 'failing'])
    await process.close()
  })

  test('W4: what is not a stream of frames ends its own connection and no other', async () => {
    const { engines } = await over(new MemoryEngine())
    const process = await engines.open()
    for (const bytes of [Buffer.alloc(64, 0xff), Buffer.alloc(64), Buffer.from('0000000501000000016302', 'hex')]) {
      const socket = await engines.connect()
      socket.end(bytes)
      await once(socket.resume(), 'close')
    }
    expect(engines.errors.length).toBe(3)
    await process.append('a', numbered(1))
  })
})
