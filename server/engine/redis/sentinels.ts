import { StorageError, toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { Reply } from './connection.ts'
import { replyCode } from './errors.ts'
import type { Shard } from './shard.ts'
import { type Address, describeAddress, type Target } from './target.ts'

/** Milliseconds between two looks at who is master. */
const WATCH_MS = 10_000

/** Asks one server one thing, over a connection of its own; without the login when `anonymous`. */
export type Ask = (address: Address, args: readonly string[], anonymous: boolean) => Promise<Reply>

/** Who knows which server is the master now. */
export class Sentinels {
  readonly #addresses: Address[]
  readonly #master: string
  readonly #ask: Ask

  constructor({ addresses, master }: Target, ask: Ask) {
    this.#addresses = [...addresses]
    this.#master = master
    this.#ask = ask
  }

  /** The first sentinel that answers is asked first the next time. */
  async masterAddress(): Promise<Address> {
    const failures: string[] = []
    for (const address of this.#addresses) {
      try {
        const master = readAddress(await this.#askSentinel(address))
        if (master === null) throw this.#unknown()
        this.#addresses.splice(this.#addresses.indexOf(address), 1)
        this.#addresses.unshift(address)
        return master
      } catch (error) {
        if (error instanceof StorageError && error.code === 'STORAGE_FOREIGN') throw error
        failures.push(toError(error).message)
      }
    }
    throw new StorageError('STORAGE_UNAVAILABLE', `no sentinel can be asked: ${failures.join('; ')}`)
  }

  /** Most sentinels want no login; the one in the URL is the servers', and often theirs as well. */
  async #askSentinel(address: Address): Promise<Reply> {
    const args = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.#master]
    try {
      return await this.#ask(address, args, true)
    } catch (thrown) {
      const error = toError(thrown)
      if (replyCode(error) !== 'NOAUTH') throw error
      return this.#ask(address, args, false)
    }
  }

  #unknown(): StorageError {
    return new StorageError('STORAGE_FOREIGN', `the sentinels know no master named ${JSON.stringify(this.#master)}.`)
  }
}

/**
 * Leaves a master that is one no longer. Sentinels end its connections themselves, unless they cannot reach it: then we,
 * who can, would go on writing where nothing will be kept.
 */
export class MasterWatch {
  readonly #clock: Clock
  readonly #sentinels: Sentinels
  readonly #shard: Shard
  /** Null once it is closed. */
  #cancel: (() => void) | null

  constructor(clock: Clock, sentinels: Sentinels, shard: Shard) {
    this.#clock = clock
    this.#sentinels = sentinels
    this.#shard = shard
    this.#cancel = this.#later()
  }

  close(): void {
    this.#cancel?.()
    this.#cancel = null
  }

  #later(): () => void {
    return this.#clock.after(WATCH_MS, () => void this.#look())
  }

  async #look(): Promise<void> {
    const master = await this.#sentinels.masterAddress().catch(() => null)
    const current = this.#shard.commands?.address ?? null
    if (this.#cancel === null) return
    if (master !== null && current !== null && describeAddress(master) !== describeAddress(current)) {
      this.#shard.restart(new Error(`the master is ${describeAddress(master)} now`))
    }
    this.#cancel = this.#later()
  }
}

function readAddress(reply: Reply): Address | null {
  if (!Array.isArray(reply)) return null
  const [host, port] = (reply as readonly Reply[]).map(String)
  return host === undefined || port === undefined ? null : { host, port: Number(port) }
}
