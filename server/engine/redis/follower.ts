import type { Cursor, Entry, Message, Sink, Subscription } from '../engine.ts'
import type { Followed } from './documentReader.ts'
import type { DocumentKeys } from './keys.ts'
import type { Said } from './message.ts'
import { isLater, parsePlace } from './redisCursor.ts'
import { OwnAppends } from './ownAppends.ts'

type SaidEntry = Extract<Said, { type: 'entry' }>

/** Entries kept while the log is being read; more than that are read from the log as well. */
const MAX_LATER = 64
const MAX_LATER_BYTES = 1024 * 1024
const NO_BYTES = new Uint8Array(0)

/** What was said since a reading began, and so may not be in it. */
interface Later {
  readonly entries: SaidEntry[]
  bytes: number
  /** True when more was said than is kept: read again. */
  overflowed: boolean
}

type State =
  /** May have missed something; the log will be asked. */
  | { readonly name: 'unsure' }
  | { readonly name: 'reading'; readonly later: Later }
  /** Has everything that was said, each entry naming the one before it. */
  | { readonly name: 'live' }
  | { readonly name: 'ended' }

export interface FollowerOptions {
  readonly keys: DocumentKeys
  readonly node: string
  readonly after: Cursor | null
  readonly sink: Sink
  /** Says that nothing is missing at this moment. */
  readonly onVerified: (follower: Follower) => void
  /** Asks for `read` to be called, soon. */
  readonly wantRead: (follower: Follower) => void
  readonly onEnd: (follower: Follower) => void
  /** The log does not have what this node has: whoever asks for the document should wait for what comes. */
  readonly onLost: (follower: Follower) => void
}

/**
 * One document, followed. The channel is the fast path, the log is the truth: whatever does not connect to what is known
 * (a message was lost, the connection was, Redis forgot something) makes it read the log after the last known entry,
 * which also says whether that entry is still there. If not, the follower is stale.
 */
export class Follower implements Subscription {
  readonly keys: DocumentKeys
  readonly #options: FollowerOptions
  readonly #own: OwnAppends
  /** Up to here everything was given to the sink, or is about to be in this turn; `#position` follows. */
  #reached: Cursor | null
  #position: Cursor | null
  #known: Cursor | null
  #state: State = { name: 'unsure' }
  /** Our own entries that were answered before those in front of them were heard of: the entry before, and the entry. */
  readonly #early = new Map<Cursor | null, Cursor>()

  constructor(options: FollowerOptions) {
    this.#options = options
    this.keys = options.keys
    this.#own = new OwnAppends(options.node)
    this.#reached = options.after
    this.#position = options.after
    this.#known = options.after
  }

  get position(): Cursor | null {
    return this.#position
  }

  /** The last entry this node has heard of, also of its own. */
  get known(): Cursor | null {
    return this.#known
  }

  get isEnded(): boolean {
    return this.#state.name === 'ended'
  }

  end(): void {
    if (this.#state.name === 'ended') return
    this.#state = { name: 'ended' }
    this.#options.onEnd(this)
  }

  /** True when nothing was missed so far. */
  get isLive(): boolean {
    return this.#state.name === 'live'
  }

  /** Something may have been missed. */
  doubt(): void {
    // What is being read may be older than the doubt.
    if (this.#state.name === 'reading') this.#state.later.overflowed = true
    if (this.#state.name === 'live') {
      this.#state = { name: 'unsure' }
      this.#early.clear()
    }
    // Last: it may be read at once.
    if (this.#state.name === 'unsure') this.#options.wantRead(this)
  }

  heard(said: Said): void {
    switch (said.type) {
      case 'entry':
        return this.#heardEntry(said)
      case 'message':
        return this.#heardMessage(said.message)
      case 'left':
        if (said.node !== this.#options.node) this.#tell((sink) => sink.left(said.node))
        return
      case 'look':
        this.doubt()
    }
  }

  /** This node begins an append of that name. */
  appending(append: string): void {
    this.#own.begin(append)
  }

  /**
   * Our append has no answer. Not null: we have heard of it on the channel or in the log all the same, and it is durable.
   * If we hear of it later, the sink is given it: whoever appended was told that it may not exist.
   */
  appendFailed(append: string): Cursor | null {
    return this.#own.fail(append)
  }

  /** Our append has its answer. Usually nothing came in between, and then there is nothing to wait for. */
  appended(cursor: Cursor, previous: Cursor | null): void {
    this.#own.succeed(cursor)
    this.#learn(cursor)
    if (this.#state.name === 'live') this.#ownEntry(cursor, previous)
    // Nobody may say it again: it is kept like what others say meanwhile.
    if (this.#state.name === 'reading') keep(this.#state.later, { type: 'entry', cursor, previous, update: NO_BYTES })
  }

  /** Reads the log once with `follow`, which is given the last known cursor. Never rejects. */
  async read(follow: (after: Cursor | null) => Promise<Followed | 'lost'>): Promise<'done' | 'failed'> {
    if (this.#state.name !== 'unsure') return 'done'
    const later: Later = { entries: [], bytes: 0, overflowed: false }
    this.#state = { name: 'reading', later }
    try {
      this.#have(await follow(this.#reached), later)
      return 'done'
    } catch {
      // Why is known to whoever watches the connection.
      if (!this.isEnded) this.#state = { name: 'unsure' }
      return 'failed'
    }
  }

  #have(followed: Followed | 'lost', later: Later): void {
    if (this.isEnded) return
    if (followed === 'lost') return this.#lost()
    for (const entry of followed.entries) this.#give(entry)
    this.#state = { name: 'live' }
    this.#options.onVerified(this)
    const again = followed.more || later.overflowed
    if (again) return this.doubt()
    const known = new Set(followed.entries.map(({ cursor }) => cursor))
    for (const entry of later.entries) if (!known.has(entry.cursor)) this.#heardEntry(entry)
  }

  #heardEntry(said: SaidEntry): void {
    switch (this.#state.name) {
      case 'live':
        return this.#connect(said)
      case 'reading':
        return keep(this.#state.later, said)
      case 'unsure': // what will be read contains it
      case 'ended':
    }
  }

  #connect(said: SaidEntry): void {
    if (said.previous === this.#reached) {
      this.#options.onVerified(this)
      return this.#give(said)
    }
    if (said.cursor === this.#reached) return
    // The echo of our own append, which had its answer first.
    if (this.#own.wrote(said.cursor) && !isLater(said.cursor, this.#reached)) return
    this.doubt()
  }

  #ownEntry(cursor: Cursor, previous: Cursor | null): void {
    if (previous === this.#reached) {
      this.#options.onVerified(this)
      return this.#advance(cursor)
    }
    // A new epoch is begun for somebody whose past was lost, and that is us if it does not connect.
    const isNewEpoch = this.#reached !== null && parsePlace(cursor)?.epoch !== parsePlace(this.#reached)?.epoch
    if (isNewEpoch || this.#early.size >= MAX_LATER) this.doubt()
    // What others appended before it is still on its way.
    else if (isLater(cursor, this.#reached)) this.#early.set(previous, cursor)
  }

  #give(entry: Entry): void {
    if (this.#own.wrote(entry.cursor) && this.#own.pass(entry.cursor)) return this.#advance(entry.cursor)
    const { cursor } = entry
    const update = ownBytes(entry.update)
    this.#tell((sink) => {
      this.#position = cursor
      sink.entry({ cursor, update })
    })
    this.#reach(cursor)
  }

  #advance(cursor: Cursor): void {
    this.#tell(() => {
      this.#position = cursor
    })
    this.#reach(cursor)
  }

  /** What is told about the entry has been told before this. */
  #reach(cursor: Cursor): void {
    this.#reached = cursor
    this.#learn(cursor)
    const next = this.#early.get(cursor)
    if (next === undefined) return
    this.#early.delete(cursor)
    this.#advance(next)
  }

  #learn(cursor: Cursor): void {
    if (isLater(cursor, this.#known)) this.#known = cursor
  }

  #heardMessage(message: Message): void {
    if (message.from !== this.#options.node) this.#tell((sink) => sink.message(message))
  }

  #lost(): void {
    this.#options.onLost(this)
    this.#tell((sink) => {
      this.end()
      sink.stale()
    })
  }

  /** In a microtask: what the sink does must not happen inside the reader of the socket. */
  #tell(what: (sink: Sink) => void): void {
    queueMicrotask(() => {
      if (!this.isEnded) what(this.#options.sink)
    })
  }
}

function keep(later: Later, said: SaidEntry): void {
  later.bytes += said.update.length
  if (later.entries.length >= MAX_LATER || later.bytes > MAX_LATER_BYTES) later.overflowed = true
  else later.entries.push({ ...said, update: ownBytes(said.update) })
}

/** A copy of what is a part of something larger: what the socket has read would stay alive with it. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes)
}
