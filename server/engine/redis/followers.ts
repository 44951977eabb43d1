import type { Clock } from '../../clock.ts'
import type { Cursor, Sink, Subscription } from '../engine.ts'
import type { Connection } from './connection.ts'
import { HOLD_MS, type DocumentStore } from './documentStore.ts'
import { Follower } from './follower.ts'
import type { DocumentKeys } from './keys.ts'
import { decodeSaid, encodeLeft } from './message.ts'
import { Readings } from './readings.ts'
import type { Shard } from './shard.ts'
import type { Shards } from './shards.ts'

/** Milliseconds after which a document of which nothing was heard is compared with its log; the last fifth is random. */
const SWEEP_MS = 15_000
const SWEEP_SPREAD = 0.2
const TICK_MS = 250
/** Milliseconds before what failed is tried again, if no new connection does it earlier. */
const RETRY_MS = 1_000
/** Channels in one command. A cluster takes only those of one slot together. */
const CHANNELS_PER_COMMAND = 200

interface Followed {
  readonly follower: Follower
  /** Where its channel is listened to; null: nowhere. */
  feed: Connection | null
  /** True once the server has confirmed that. */
  isHeard: boolean
  /** When it is looked after, unless something connects earlier. */
  due: number
}

export interface FollowersOptions {
  readonly clock: Clock
  readonly node: string
  readonly store: DocumentStore
  readonly shards: Shards
  readonly oneSlotPerCommand: boolean
  /** Somebody said what cannot be understood. */
  readonly onPoison: (document: string) => void
}

/** All documents this node follows: their channels, and when their logs are to be read. */
export class Followers {
  readonly #options: FollowersOptions
  readonly #readings: Readings
  /** By channel. */
  readonly #followed = new Map<string, Followed>()
  /** Channels of documents that the log has lost and this node has, with the time; until they are followed again. */
  readonly #held = new Map<string, number>()
  #cancelTick: (() => void) | null = null
  #closed = false

  constructor(options: FollowersOptions) {
    this.#options = options
    this.#readings = new Readings(options.store, (follower) => this.#lookAgain(follower, RETRY_MS))
  }

  get(keys: DocumentKeys): Follower | null {
    return this.#followed.get(keys.channel)?.follower ?? null
  }

  /** True when what is said about the document is heard, and nothing was missed so far. */
  hears(keys: DocumentKeys): boolean {
    const followed = this.#followed.get(keys.channel)
    const feed = this.#options.shards.of(keys.slot)?.feed ?? null
    return feed !== null && followed?.feed === feed && followed.isHeard && followed.follower.isLive
  }

  /** True when the log has lost the document, or a part, and this node is about to bring it back. */
  holds(keys: DocumentKeys): boolean {
    return (this.#held.get(keys.channel) ?? -Infinity) + HOLD_MS > this.#options.clock.now()
  }

  follow(keys: DocumentKeys, after: Cursor | null, sink: Sink): Subscription {
    this.get(keys)?.end()
    const follower = new Follower({
      keys,
      node: this.#options.node,
      after,
      sink,
      onVerified: (verified) => this.#lookAgain(verified, SWEEP_MS * (1 - SWEEP_SPREAD * Math.random())),
      wantRead: (wanting) => this.#readings.want(wanting),
      onEnd: (ended) => this.#ended(ended),
      onLost: () => this.#lost(keys),
    })
    this.#held.delete(keys.channel)
    this.#followed.set(keys.channel, {
      follower,
      feed: null,
      isHeard: false,
      due: this.#options.clock.now() + SWEEP_MS,
    })
    if (this.#closed) follower.end()
    else this.#cancelTick ??= this.#tickLater()
    this.#listen(this.#followed.get(keys.channel))
    return follower
  }

  /** There are new connections, or slots have moved: every channel is listened to where it is said now. */
  align(): void {
    const groups = new Map<Connection, Followed[]>()
    for (const followed of this.#followed.values()) {
      const feed = this.#misses(followed)
      if (feed === null) continue
      const group = groups.get(feed)
      if (group === undefined) groups.set(feed, [followed])
      else group.push(followed)
    }
    const step = this.#options.oneSlotPerCommand ? 1 : CHANNELS_PER_COMMAND
    for (const [feed, group] of groups) {
      for (let start = 0; start < group.length; start += step) this.#listenOn(feed, group.slice(start, start + step))
    }
  }

  /** The server may be another one, or has lost something. */
  doubt(shard: Shard): void {
    const { shards } = this.#options
    for (const { follower } of this.#followed.values()) {
      if (shards.of(follower.keys.slot) === shard) follower.doubt()
    }
  }

  /** Tells the others that this node goes. */
  sayLeft(): void {
    const left = encodeLeft(this.#options.node)
    for (const { follower } of this.#followed.values()) this.#options.store.say(follower.keys, left)
  }

  close(): void {
    this.#closed = true
    this.#cancelTick?.()
    this.#cancelTick = null
    for (const { follower } of this.#followed.values()) follower.end()
  }

  /** The connection on which its channel has yet to be asked for, if there is one. */
  #misses({ follower, feed }: Followed): Connection | null {
    const right = this.#options.shards.of(follower.keys.slot)?.feed ?? null
    return right === feed ? null : right
  }

  #listen(followed: Followed | undefined): void {
    const feed = followed === undefined ? null : this.#misses(followed)
    if (followed !== undefined && feed !== null) this.#listenOn(feed, [followed])
  }

  /** First the channel, then the log: what is appended in between is in one of them. */
  #listenOn(feed: Connection, group: readonly Followed[]): void {
    for (const followed of group) {
      followed.feed = feed
      followed.isHeard = false
    }
    const channels = group.map(({ follower }) => follower.keys.channel)
    feed.follow(channels, this.#onSaid).then(
      () => {
        for (const followed of group) {
          if (followed.feed === feed) followed.isHeard = true
          followed.follower.doubt()
        }
      },
      () => {
        // The connection is gone, or the slot has moved: the next connection, or the next look, comes back to it.
        for (const followed of group) {
          if (followed.feed !== feed) continue
          followed.feed = null
          followed.due = this.#options.clock.now() + RETRY_MS
        }
      },
    )
  }

  readonly #onSaid = (bytes: Buffer, channel: Buffer): void => {
    const follower = this.#followed.get(channel.toString('latin1'))?.follower
    if (follower === undefined) return
    const said = decodeSaid(bytes)
    if (said === null) this.#options.onPoison(follower.keys.name)
    else follower.heard(said)
  }

  #ended(follower: Follower): void {
    this.#readings.forget(follower)
    const { channel } = follower.keys
    const followed = this.#followed.get(channel)
    if (followed?.follower !== follower) return
    this.#followed.delete(channel)
    // Should this fail, what is said is for nobody.
    followed.feed?.unfollow(channel, this.#onSaid).catch(() => undefined)
  }

  #lost(keys: DocumentKeys): void {
    const now = this.#options.clock.now()
    for (const [channel, at] of this.#held) if (at + HOLD_MS <= now) this.#held.delete(channel)
    this.#held.set(keys.channel, now)
    this.#options.store.hold(keys)
  }

  #lookAgain(follower: Follower, milliseconds: number): void {
    const followed = this.#followed.get(follower.keys.channel)
    if (followed?.follower === follower) followed.due = this.#options.clock.now() + milliseconds
  }

  #tickLater(): () => void {
    return this.#options.clock.after(TICK_MS, () => {
      this.#cancelTick = this.#followed.size > 0 ? this.#tickLater() : null
      this.#sweep(this.#options.clock.now())
    })
  }

  /** Finds a last message that was lost, and a storage that lost something without a word. */
  #sweep(now: number): void {
    for (const followed of this.#followed.values()) {
      if (followed.due > now) continue
      followed.due = now + SWEEP_MS
      this.#listen(followed)
      followed.follower.doubt()
    }
  }
}
