import { describe, expect, onTestFinished, test } from 'vitest'
import { Random } from '../../client/testing/random.ts'
import { Fleet } from '../support/fleet.ts'
import type { FleetOptions } from '../support/fleet.ts'
import { RedisCluster } from '../support/redisCluster.ts'
import { RedisProxy } from '../support/redisProxy.ts'
import { RedisServer, redisMissing } from '../support/redisServer.ts'

const SECOND = 1_000
const CLIENTS = 60

async function start(options: Partial<FleetOptions> = {}): Promise<{ fleet: Fleet; redis: RedisServer }> {
  const redis = await RedisServer.start()
  onTestFinished(() => redis.dispose())
  const fleet = await Fleet.start({ redis: [redis.url, redis.url, redis.url], clients: CLIENTS, ...options })
  onTestFinished(() => fleet.dispose())
  fleet.write()
  await fleet.pause(3 * SECOND)
  return { fleet, redis }
}

/** Whether the tests that take minutes are asked for; `npm run test:long`. */
const isLong = process.env['TEST_LONG'] === '1'

describe.skipIf(redisMissing !== null)('three nodes and 60 clients', { timeout: 240 * SECOND }, () => {
  test('P1, P6: a node is killed and comes back', async () => {
    const { fleet } = await start()
    await fleet.killNode(1)
    await fleet.pause(5 * SECOND)
    await fleet.startNode(1)
    await fleet.pause(3 * SECOND)
    await fleet.rest()
    await fleet.expectConverged()
    await fleet.expectStored()
  })

  test('R4: pub/sub connections are cut, again and again', async () => {
    const { fleet, redis } = await start()
    for (let cut = 0; cut < 10; cut += 1) {
      await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await fleet.pause(SECOND)
    }
    await fleet.rest()
    await fleet.expectConverged()
  })

  test('R4, C117: Redis is stopped for 30 s and comes back with its data', async () => {
    const { fleet, redis } = await start()
    await redis.stop('SIGTERM')
    await fleet.pause((isLong ? 30 : 5) * SECOND)
    await redis.resume()
    await fleet.pause(2 * SECOND)
    await fleet.rest()
    await fleet.expectConverged()
    await fleet.expectStored()
  })

  test('R4, C121: Redis is killed and comes back without its data', async () => {
    const { fleet, redis } = await start()
    await redis.stop('SIGKILL')
    await redis.forget()
    await fleet.pause(2 * SECOND)
    await redis.resume()
    await fleet.logged(/"restored":[1-9].*compared with the log/)
    await fleet.rest()
    await fleet.expectConverged()
    await fleet.expectStored()
  })

  test('C118: one message in five is lost between Redis and the nodes', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.dispose())
    const random = new Random(5)
    const proxies = await Promise.all([0, 1, 2].map(() => RedisProxy.start(redis.port, () => random.next())))
    for (const proxy of proxies) proxy.lostShare = 0.2
    const { fleet } = await start({ redis: proxies.map(({ url }) => url) })
    await fleet.pause(10 * SECOND)
    await fleet.rest()
    await fleet.expectConverged()
    await fleet.expectStored()
    for (const proxy of proxies) proxy.dispose()
  })

  test('C121: in a cluster of six a replica takes over, then a master is killed', async () => {
    const cluster = await RedisCluster.start()
    onTestFinished(() => cluster.dispose())
    const { fleet } = await start({ redis: [cluster.url, cluster.url, cluster.url] })
    const before = await cluster.failOver()
    await fleet.pause(5 * SECOND)
    await before.stop('SIGKILL')
    await fleet.pause(5 * SECOND)
    const [master] = await cluster.masters()
    await master?.stop('SIGKILL')
    await fleet.pause(15 * SECOND)
    await fleet.rest()
    await fleet.expectConverged()
    await fleet.expectStored()
  })

  test('A7: a node is paused for 20 s and goes on', async () => {
    const { fleet } = await start()
    fleet.signalNode(2, 'SIGSTOP')
    await fleet.pause(20 * SECOND)
    fleet.signalNode(2, 'SIGCONT')
    await fleet.pause(2 * SECOND)
    await fleet.rest()
    await fleet.expectConverged()
  })

  test('C130: clocks differ by ten minutes', async () => {
    const lying = (minutes: number) => {
      const source = `const real = Date.now; Date.now = () => real() + ${minutes * 60_000}`
      return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(source)}` }
    }
    const { fleet } = await start({ env: [lying(0), lying(10), lying(-10)] })
    await fleet.pause(5 * SECOND)
    await fleet.rest()
    await fleet.expectConverged()
    await fleet.expectStored()
  })

  test('R3, C119: nodes compact the same document in a loop', async () => {
    const { fleet } = await start()
    const stop = fleet.fatten()
    await fleet.pause(15 * SECOND)
    stop()
    await fleet.rest()
    await fleet.expectConverged()
    const compactions = await Promise.all([0, 1, 2].map((node) => fleet.metric(node, 'scriptorium_compactions_total')))
    expect(compactions.filter((count) => count > 0).length, `compactions: ${compactions.join()}`).toBeGreaterThan(1)
    await fleet.expectStored()
  })
})
