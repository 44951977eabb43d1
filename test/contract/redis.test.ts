import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Engine } from '../../server/engine/engine.ts'
import { MemoryArchive } from '../../server/engine/archive/memoryArchive.ts'
import type { MemoryArchiveStore } from '../../server/engine/archive/memoryArchive.ts'
import { openRedisEngine } from '../../server/engine/redis/redisEngine.ts'
import type { SharedEngineUnderTest } from '../../server/testing/engineCase.ts'
import { engineContract, engineNodeContract } from '../../server/testing/engineContract.ts'
import { RedisCluster, RedisSentinels } from '../support/redisCluster.ts'
import { ownPrefix, redisMissing, RedisServer, removeKeys } from '../support/redisServer.ts'

/** Another server to test against, which may be in use: everything happens under prefixes of our own. */
const givenUrl = process.env['REDIS_URL'] ?? ''

interface Running {
  readonly url: string
  dispose(): Promise<void>
}

const given: Running = { url: givenUrl, dispose: async () => undefined }

interface Kind {
  readonly kind: string
  readonly start: () => Promise<Running>
  readonly archived?: true
}

const kinds: readonly Kind[] = [
  { kind: 'Redis', start: async () => (givenUrl === '' ? RedisServer.start() : given) },
  { kind: 'Redis with an archive', start: () => RedisServer.start(), archived: true },
  { kind: 'Redis behind sentinels', start: () => RedisSentinels.start() },
  { kind: 'Redis Cluster', start: () => RedisCluster.start() },
]

describe.skipIf(redisMissing !== null).each(kinds)('engine contract: $kind', ({ start, archived }) => {
  let running: Running | null = null
  beforeAll(async () => {
    running = await start()
  }, 60_000)
  afterAll(() => running?.dispose())

  async function make(): Promise<SharedEngineUnderTest> {
    if (running === null) throw new Error('no server runs')
    const { url } = running
    const prefix = ownPrefix()
    const archive: MemoryArchiveStore = new Map()
    const opened: Engine[] = []
    const open = async (): Promise<Engine> => {
      const archiving = { archive: { archive: new MemoryArchive(archive), idleSeconds: 3600 } }
      const engine = await openRedisEngine({ url, prefix, ...(archived === true ? archiving : {}) })
      opened.push(engine)
      return engine
    }
    const engine = await open()
    return {
      engine,
      peer: open,
      reopen: async () => {
        await engine.close()
        return open()
      },
      cleanup: async () => {
        await Promise.all(opened.map((each) => each.close()))
        if (url === givenUrl) await removeKeys(url, prefix)
      },
    }
  }

  test.each([...engineContract(make), ...engineNodeContract(make)])('$title', ({ run }) => run())
})
