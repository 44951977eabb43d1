import type { Clock } from '../../clock.ts'
import type { Shard } from './shard.ts'
import { type Address, describeAddress } from './target.ts'

/** Milliseconds after which one to which nobody was sent is given up. */
const UNUSED_MS = 60_000
/** Whatever a server says, we are connected to no more than so many. */
const MAX_GUESTS = 16

interface Guest {
  readonly shard: Shard
  usedAt: number
}

/**
 * Masters that serve no slot yet, as one has just been added: while its first slot moves there, commands are sent to it one
 * by one (ASK), and the map does not show it before the move has ended.
 */
export class GuestShards {
  readonly #clock: Clock
  readonly #createShard: (address: Address) => Shard
  readonly #guests = new Map<string, Guest>()

  constructor(clock: Clock, createShard: (address: Address) => Shard) {
    this.#clock = clock
    this.#createShard = createShard
  }

  /** One that is new is still connecting. Null: there are too many. */
  get(address: Address): Shard | null {
    const name = describeAddress(address)
    const usedAt = this.#clock.now()
    const known = this.#guests.get(name)
    if (known !== undefined) {
      known.usedAt = usedAt
      return known.shard
    }
    if (this.#guests.size >= MAX_GUESTS) return null
    const shard = this.#createShard(address)
    this.#guests.set(name, { shard, usedAt })
    return shard
  }

  /** It serves slots from now on, and is a guest no longer; null when it was none. */
  take(address: Address): Shard | null {
    const name = describeAddress(address)
    const guest = this.#guests.get(name)
    this.#guests.delete(name)
    return guest?.shard ?? null
  }

  /** Gives up those that are not needed any more. */
  expire(): void {
    const now = this.#clock.now()
    for (const [name, { shard, usedAt }] of this.#guests) {
      if (now - usedAt < UNUSED_MS) continue
      this.#guests.delete(name)
      shard.close()
    }
  }

  close(): void {
    for (const { shard } of this.#guests.values()) shard.close()
    this.#guests.clear()
  }
}
