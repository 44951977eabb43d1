import { StorageError, toError } from '../../../shared/errors.ts'

/** First words of replies that are about the server, not about what was asked of it: nothing can be written there now. */
const serverTroubles = new Set(
  'OOM MISCONF READONLY NOREPLICAS CLUSTERDOWN MASTERDOWN LOADING BUSY NOAUTH WRONGPASS NOPERM TRYAGAIN'.split(' '),
)

/** "-OOM command not allowed …" is OOM; what is not a reply of Redis has no code. */
export function replyCode(error: Error): string {
  return /^([A-Z]+) /.exec(error.message)?.[1] ?? ''
}

/** A script is told so, in these words, when it does what its user may not (-ERR, of which there are many). */
const FORBIDDEN = 'The user executing the script'

export function isServerTrouble(error: Error): boolean {
  return serverTroubles.has(replyCode(error)) || error.message.includes(FORBIDDEN)
}

/** `action` as in "Appending to …"; the sentence ends with what Redis or the network said. */
export function asStorageError(action: string, thrown: unknown): StorageError {
  if (thrown instanceof StorageError) return thrown
  const error = toError(thrown)
  if (replyCode(error) === 'DAMAGED') {
    const what = error.message.replace(/^DAMAGED /, '').replace(/ script: .*$/, '')
    const why = 'Redis may have evicted keys: its maxmemory-policy must be noeviction'
    return new StorageError('STORAGE_CORRUPT', `${action} failed: ${what}. ${why}.`, error)
  }
  return new StorageError('STORAGE_UNAVAILABLE', `${action} failed: ${error.message}`, error)
}

export function closedError(): StorageError {
  return new StorageError('STORAGE_CLOSED', 'The storage is closed.')
}
