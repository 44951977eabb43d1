import type { Clock } from './clock.ts'
import type { Archive } from './engine/archive/archive.ts'
import { openArchive } from './engine/archive/openArchive.ts'
import type { Engine, EngineHealth } from './engine/engine.ts'
import { openRedisEngine } from './engine/redis/redisEngine.ts'
import type { Logger } from './log.ts'
import type { Observer } from './observer.ts'
import type { Options } from './options/table.ts'

interface Opening {
  readonly clock: Clock
  readonly observer: Observer
  readonly logger: Logger
  readonly onHealth: (health: EngineHealth) => void
}

/** Redis as the options say, and the archive behind it, if there is to be one. */
export async function openRedis(options: Options, opening: Opening): Promise<Engine> {
  const { clock, observer, logger, onHealth } = opening
  const archive = options.archive === '' ? null : await openNamedArchive(options.archive, opening)
  try {
    return await openRedisEngine({
      url: options.redis,
      prefix: options.redisPrefix,
      clock,
      onHealth,
      onWarning: (warning) => logger.warn(warning),
      onPoison: (document) => observer.observe({ type: 'poisonMessage', document }),
      ...(archive === null ? {} : { archive: { archive, idleSeconds: options.archiveAfter } }),
    })
  } catch (error) {
    await archive?.close()
    throw error
  }
}

function openNamedArchive(url: string, { clock, logger }: Opening): Promise<Archive> {
  const onHealth = (health: EngineHealth): void => {
    if (health.state === 'ok') logger.info('the archive works again')
    else logger.error({ err: health.error }, 'the archive is failing: documents that rest there cannot be opened')
  }
  return openArchive({ url, clock, onHealth, onWarning: (warning) => logger.warn(warning) })
}
