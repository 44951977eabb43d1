import { afterEach, describe, expect, test } from 'vitest'
import type { Engine } from '../../server/engine/engine.ts'
import { KeySpace } from '../../server/engine/redis/keys.ts'
import { openRedisEngine } from '../../server/engine/redis/redisEngine.ts'
import { EngineListener } from '../support/engineListener.ts'
import { eventually } from '../support/eventually.ts'
import { RedisCluster, RedisSentinels } from '../support/redisCluster.ts'
import { redisMissing } from '../support/redisServer.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const names = Array.from({ length: 24 }, (_, index) => `document ${String(index)}`)
const patience = { within: 30_000 }

/** An append that had no answer in time may have been carried out all the same, and is repeated. */
const distinct = (values: readonly (number | undefined)[] = []): unknown[] => [...new Set(values)]

async function valuesOf(engine: Engine, document: string): Promise<unknown[]> {
  return distinct((await engine.load(document)).tail.map(({ update }) => update[0]))
}

describe.skipIf(redisMissing !== null)('the Redis engine when masters change', () => {
  let cleanups: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
    cleanups = []
  })

  async function open(url: string): Promise<Engine> {
    const engine = await openRedisEngine({ url, timeoutMs: 1_000 })
    cleanups.push(() => engine.close())
    return engine
  }

  /** Two nodes, the second of which follows all documents. */
  async function nodes(url: string): Promise<{ writer: Engine; listeners: EngineListener[] }> {
    const [writer, reader] = [await open(url), await open(url)]
    return { writer, listeners: names.map((name) => new EngineListener(reader, name)) }
  }

  async function appendSurely(engine: Engine, document: string, value: number): Promise<void> {
    await eventually(
      async () => {
        await engine.append(document, bytes(value))
        return true
      },
      'the entry is appended',
      patience,
    )
  }

  function appendEverywhere(engine: Engine, value: number): Promise<unknown> {
    return Promise.all(names.map((name) => appendSurely(engine, name, value)))
  }

  /** Every listener has this as its last value, or knows that it has to read again. */
  async function arrived(listeners: readonly EngineListener[], value: number): Promise<void> {
    await eventually(
      () => listeners.every((listener) => listener.values.at(-1) === value || listener.stales > 0),
      `${String(value)} has arrived everywhere`,
      { ...patience, detail: () => listeners.map(({ values }) => values.at(-1)) },
    )
  }

  test('C121: sentinels name another master when theirs is killed; what was acknowledged is there or is missed', async () => {
    const group = await RedisSentinels.start()
    cleanups.push(() => group.dispose())
    const { writer, listeners } = await nodes(group.url)
    await appendEverywhere(writer, 1)
    await arrived(listeners, 1)
    const before = await group.masterPort()
    await group.servers.find(({ port }) => port === before)?.stop('SIGKILL')
    await appendEverywhere(writer, 2)
    expect(await group.masterPort()).not.toBe(before)
    await arrived(listeners, 2)
    for (const [index, listener] of listeners.entries()) {
      const stored = (await writer.load(names[index] ?? '')).tail.map(({ update }) => update[0])
      if (listener.stales === 0) expect(listener.values).toEqual(stored)
      expect(stored).toContain(2)
    }
    await eventually(() => writer.health().state === 'ok', 'all is well')
  }, 90_000)

  test('C121: a cluster: a replica takes over in order, then a master is killed', async () => {
    const cluster = await RedisCluster.start()
    cleanups.push(() => cluster.dispose())
    const { writer, listeners } = await nodes(cluster.url)
    await appendEverywhere(writer, 1)
    await arrived(listeners, 1)
    await cluster.failOver()
    await appendEverywhere(writer, 2)
    await arrived(listeners, 2)
    expect(listeners.map(({ stales }) => stales)).toEqual(listeners.map(() => 0))
    expect(listeners.map(({ values }) => values)).toEqual(listeners.map(() => [1, 2]))
    await cluster.settled()
    const [victim] = await cluster.masters()
    await victim?.stop('SIGKILL')
    await appendEverywhere(writer, 3)
    await arrived(listeners, 3)
    expect(await writer.list({ limit: 100 })).toEqual([...names].sort())
  }, 120_000)

  test('a cluster: a slot moves to another master while its document is edited, and its follower goes with it', async () => {
    const cluster = await RedisCluster.start()
    cleanups.push(() => cluster.dispose())
    const { writer, listeners } = await nodes(cluster.url)
    const [listener] = listeners
    const document = names[0] ?? ''
    await appendEverywhere(writer, 1)
    const keys = new KeySpace('scriptorium:').of(document)
    const end = await cluster.beginMove(keys.slot)
    await appendSurely(writer, document, 2)
    await cluster.moveKeys(keys.slot, [keys.log, keys.meta])
    // Redirected for each command now (ASK).
    await appendSurely(writer, document, 3)
    expect(await valuesOf(writer, document)).toEqual([1, 2, 3])
    await end()
    await appendSurely(writer, document, 4)
    // Sooner than the sweep comes round: the follower was told that its channel has gone.
    await eventually(() => listener?.values.at(-1) === 4, 'the follower has everything', {
      within: 8_000,
      detail: () => listener?.values,
    })
    expect([distinct(listener?.values), listener?.stales]).toEqual([[1, 2, 3, 4], 0])
  }, 90_000)

  test('a cluster: the first slot of a new master moves there, and its documents are opened and saved meanwhile', async () => {
    const cluster = await RedisCluster.start()
    cleanups.push(() => cluster.dispose())
    const { writer, listeners } = await nodes(cluster.url)
    const [listener] = listeners
    const document = names[0] ?? ''
    await appendEverywhere(writer, 1)
    const added = await cluster.addMaster()
    const keys = new KeySpace('scriptorium:').of(document)
    const end = await cluster.beginMove(keys.slot, added)
    await cluster.moveKeys(keys.slot, [keys.log, keys.meta], added)
    await appendSurely(writer, document, 2)
    expect(await valuesOf(writer, document)).toEqual([1, 2])
    await end()
    await appendSurely(writer, document, 3)
    await eventually(() => listener?.values.at(-1) === 3, 'the follower has everything', patience)
    expect([distinct(listener?.values), listener?.stales]).toEqual([[1, 2, 3], 0])
  }, 90_000)
})
