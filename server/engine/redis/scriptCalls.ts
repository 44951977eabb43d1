import { toError } from '../../../shared/errors.ts'
import type { Argument, Reply } from './connection.ts'
import { asStorageError, replyCode } from './errors.ts'
import type { DocumentKeys } from './keys.ts'
import type { Script } from './scripts.ts'
import type { Shards } from './shards.ts'

/** Has scripts carried out where a document is. */
export class ScriptCalls {
  readonly #shards: Shards

  constructor(shards: Shards) {
    this.#shards = shards
  }

  /**
   * @param action as in "Appending", for the message of a StorageError
   * @param args ARGV; KEYS are the document's log and meta
   */
  async run(action: string, keys: DocumentKeys, script: Script, args: readonly Argument[]): Promise<Reply> {
    const rest = ['2', keys.log, keys.meta, ...args]
    try {
      return await this.#shards.send(keys.slot, ['EVALSHA', script.hash, ...rest])
    } catch (thrown) {
      const error = toError(thrown)
      if (replyCode(error) !== 'NOSCRIPT') throw asStorageError(`${action} ${JSON.stringify(keys.name)}`, error)
    }
    // A server that has just taken over, or was told to forget its scripts. This makes it remember.
    return this.#shards.send(keys.slot, ['EVAL', script.source, ...rest]).catch((error: unknown) => {
      throw asStorageError(`${action} ${JSON.stringify(keys.name)}`, error)
    })
  }

  /** For what changes a document: whether that works decides whether the server does. */
  async write(action: string, keys: DocumentKeys, script: Script, args: readonly Argument[]): Promise<Reply> {
    const shard = this.#shards.of(keys.slot)
    try {
      const reply = await this.run(action, keys, script, args)
      // Nil: the script refused before it wrote anything.
      if (reply !== null) shard?.succeeded()
      return reply
    } catch (thrown) {
      const error = toError(thrown)
      shard?.failed(toError(error.cause ?? error), keys.probe)
      throw error
    }
  }
}
