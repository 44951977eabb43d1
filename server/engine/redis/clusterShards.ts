import { StorageError, toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { EngineHealth } from '../engine.ts'
import { type Redirection, readRedirection, readSlots, type SlotRange } from './clusterMap.ts'
import type { Argument, Reply } from './connection.ts'
import { replyCode } from './errors.ts'
import { GuestShards } from './guestShards.ts'
import { SLOTS } from './hashSlot.ts'
import type { Shard } from './shard.ts'
import { sendTo, type Shards } from './shards.ts'
import { type Address, describeAddress } from './target.ts'

/** Milliseconds between two looks at who serves what: at least, while something is wrong, and while nothing is. */
const SHORTEST_MS = 200
const WRONG_MS = 1_000
const CALM_MS = 30_000

/** Answers that say that the map is old. */
const mapTroubles = new Set(['MOVED', 'CLUSTERDOWN', 'READONLY', 'MASTERDOWN'])

export interface ClusterShardsOptions {
  readonly clock: Clock
  /** Some nodes of the cluster, for the first look, and for when all known ones are gone. */
  readonly seeds: readonly Address[]
  readonly createShard: (address: Address) => Shard
  /** Asks a node, over a connection of its own, who serves what. */
  readonly ask: (address: Address) => Promise<Reply>
  /** Slots have moved. */
  readonly onMoved: () => void
  /** A look failed; there will be another. */
  readonly onLookFailed: (error: Error) => void
}

/**
 * The masters of a cluster. The library's own cluster client is not used: after a failover or a moved slot it leaves
 * sharded channels unheard in several ways, of which nobody is told, and what it queues meanwhile has no time limit.
 */
export class ClusterShards implements Shards {
  readonly #options: ClusterShardsOptions
  readonly #byAddress = new Map<string, Shard>()
  readonly #guests: GuestShards
  #slots: readonly (Shard | null)[] = []
  #looking = false
  #cancelLook: () => void
  #lastLook = -Infinity
  #closed = false

  constructor(options: ClusterShardsOptions) {
    this.#options = options
    this.#guests = new GuestShards(options.clock, options.createShard)
    this.#cancelLook = options.clock.after(0, () => void this.#look())
  }

  get all(): readonly Shard[] {
    return [...this.#byAddress.values()]
  }

  of(slot: number): Shard | null {
    return this.#slots[slot] ?? null
  }

  send(slot: number, args: readonly Argument[]): Promise<Reply> {
    const shard = this.of(slot)
    return sendTo(shard, args).catch((error: unknown) => this.#redirect(toError(error), shard, args))
  }

  /** A part of the documents that waits is not everything that fails. */
  health(): EngineHealth {
    const healths = this.all.map((shard) => shard.health())
    const failing = healths.find(({ state }) => state === 'failing')
    return failing !== undefined && healths.every(({ state }) => state === 'failing') ? failing : { state: 'ok' }
  }

  /** Somebody could not be reached, or said that the map is old. */
  lookSoon(): void {
    if (this.#closed || this.#looking) return
    this.#cancelLook()
    const wait = Math.max(0, this.#lastLook + SHORTEST_MS - this.#options.clock.now())
    this.#cancelLook = this.#options.clock.after(wait, () => void this.#look())
  }

  close(): void {
    this.#closed = true
    this.#cancelLook()
    for (const shard of this.all) shard.close()
    this.#guests.close()
  }

  /** Follows one redirection, if it leads to where we are connected already; else who asks has to ask again. */
  #redirect(thrown: Error, from: Shard | null, args: readonly Argument[]): Promise<Reply> {
    const code = replyCode(thrown)
    if (mapTroubles.has(code)) this.lookSoon()
    const redirection = readRedirection(thrown, from?.commands?.address ?? null)
    if (redirection === null) throw thrown
    const connection = this.#leadsTo(redirection)?.commands ?? null
    if (connection === null) throw new StorageError('STORAGE_UNAVAILABLE', `it has moved (${thrown.message})`, thrown)
    // Both in one turn, so that nothing comes in between: the permission is for the next command only.
    if (redirection.kind === 'ASK') connection.send(['ASKING']).catch(() => undefined)
    return connection.send(args)
  }

  /** Where a slot that has moved is served, the next look shows; where one that is moving goes, none does. */
  #leadsTo({ kind, to }: Redirection): Shard | null {
    const known = this.#byAddress.get(describeAddress(to)) ?? null
    return known === null && kind === 'ASK' && !this.#closed ? this.#guests.get(to) : known
  }

  async #look(): Promise<void> {
    this.#looking = true
    this.#lastLook = this.#options.clock.now()
    this.#guests.expire()
    try {
      this.#adopt(await this.#askAnybody())
    } catch (error) {
      this.#options.onLookFailed(toError(error))
    }
    this.#looking = false
    if (this.#closed) return
    const wrong = this.#slots.length === 0 || this.all.some((shard) => shard.health().state === 'failing')
    const wait = (wrong ? WRONG_MS : CALM_MS) * (0.8 + 0.4 * Math.random())
    this.#cancelLook = this.#options.clock.after(wait, () => void this.#look())
  }

  async #askAnybody(): Promise<readonly SlotRange[]> {
    for (const { commands } of this.all) {
      const slots = await commands?.send(['CLUSTER', 'SLOTS']).catch(() => null)
      if (commands !== null && slots !== null && slots !== undefined) return readSlots(slots, commands.address)
    }
    const failures: Error[] = []
    for (const address of this.#options.seeds) {
      try {
        return readSlots(await this.#options.ask(address), address)
      } catch (error) {
        failures.push(toError(error))
      }
    }
    throw failures[0] ?? new Error('no node of the cluster can be asked')
  }

  #adopt(ranges: readonly SlotRange[]): void {
    if (this.#closed || ranges.length === 0) return
    const masters = new Map(ranges.map(({ master }) => [describeAddress(master), master]))
    for (const [name, shard] of this.#byAddress) {
      if (masters.has(name)) continue
      this.#byAddress.delete(name)
      shard.close()
    }
    for (const [name, address] of masters) {
      if (this.#byAddress.has(name)) continue
      this.#byAddress.set(name, this.#guests.take(address) ?? this.#options.createShard(address))
    }
    if (this.#fill(ranges)) this.#options.onMoved()
  }

  /** True when a slot is served by another shard than before. */
  #fill(ranges: readonly SlotRange[]): boolean {
    const slots = Array.from<Shard | null>({ length: SLOTS }).fill(null)
    for (const { start, end, master } of ranges) {
      slots.fill(this.#byAddress.get(describeAddress(master)) ?? null, start, end + 1)
    }
    const moved = slots.some((shard, slot) => shard !== this.of(slot))
    this.#slots = slots
    return moved
  }
}
