import { StorageError } from '../../../shared/errors.ts'
import type { RedisModule } from './connection.ts'

/** Only who keeps documents in Redis needs the client. */
export async function loadClient(): Promise<RedisModule> {
  try {
    return await import('@redis/client')
  } catch (error) {
    const advice = 'install it beside scriptorium: npm install @redis/client@6.3.1'
    throw new StorageError('STORAGE_UNAVAILABLE', `--redis needs the package @redis/client; ${advice}.`, error)
  }
}
