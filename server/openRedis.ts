import { StorageError } from '../shared/errors.ts'
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

/** One that is away does not keep a node from starting: what is in Redis can be served. */
async function openNamedArchive(url: string, { clock, logger }: Opening): Promise<Archive> {
  // What happens before is told once, by `onUnreachable` or by the promise.
  let isOpen = false
  const onHealth = (health: EngineHealth): void => {
    if (!isOpen) return
    if (health.state === 'ok') logger.info('the archive works again')
    else logger.error({ err: health.error }, 'the archive is failing: documents that rest there cannot be opened')
  }
  const onUnreachable = (error: StorageError): void => {
    const what = 'Until it answers, only documents that are in Redis can be opened, and none can be begun.'
    logger.error(`${nameOption(error.message)} ${what}`)
  }
  const onWarning = (warning: string): void => logger.warn(warning)
  try {
    const archive = await openArchive({ url, clock, onHealth, onUnreachable, onWarning })
    isOpen = true
    return archive
  } catch (thrown) {
    throw thrown instanceof StorageError ? new StorageError(thrown.code, nameOption(thrown.message), thrown) : thrown
  }
}

function nameOption(sentence: string): string {
  return sentence.replace(/\.$/, ' (--archive).')
}
