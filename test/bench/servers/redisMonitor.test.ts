import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { expect, onTestFinished, test } from 'vitest'
import { redisMissing } from '../../support/redisServer.ts'
import { RedisMonitor } from './redisMonitor.ts'
import { RedisProcess } from './redisProcess.ts'

async function startRedis(): Promise<RedisProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'scriptorium-bench-redis-'))
  const redis = await RedisProcess.start(directory)
  onTestFinished(async () => {
    await redis.stop()
    await rm(directory, { recursive: true, force: true })
  })
  return redis
}

function clientOf({ url }: RedisProcess) {
  return createClient({ url })
}

async function openClient(redis: RedisProcess): Promise<ReturnType<typeof clientOf>> {
  const client = clientOf(redis)
  onTestFinished(() => client.destroy())
  await client.connect()
  return client
}

test.skipIf(redisMissing !== null)('bench: what Redis is told and what it tells is counted', async () => {
  const redis = await startRedis()
  const subscribers = [await openClient(redis), await openClient(redis)]
  for (const subscriber of subscribers) await subscriber.sSubscribe('sharded', () => undefined)
  await subscribers[0]?.subscribe('plain', () => undefined)
  const node = await openClient(redis)

  const before = await redis.usage()
  const monitor = await RedisMonitor.start(redis)
  await node.sendCommand(['EVAL', "redis.call('SPUBLISH', ARGV[1], 'x \" y')", '1', 'key', 'sharded'])
  await node.sendCommand(['SPUBLISH', 'sharded', 'a\r\nb'])
  await node.sendCommand(['PUBLISH', 'plain', ''])
  await node.sendCommand(['PUBLISH', 'nobody', ''])
  await node.sendCommand(['XADD', 'log', '*', 'u', 'x'])
  expect(await monitor.stop()).toEqual({ commands: 5, published: 4, delivered: 5 })

  const calls = (await redis.usage()).calls
  expect(calls.get('spublish')).toBe(2)
  expect((calls.get('xadd') ?? 0) - (before.calls.get('xadd') ?? 0)).toBe(1)
})
