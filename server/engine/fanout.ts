import type { Cursor, Entry, Message, Sink, Subscription } from './engine.ts'

/** Who wants to follow what. */
export interface Following {
  /** `Engine.node` of the follower: its own entries and messages are not given back to it. */
  readonly node: string
  readonly document: string
  readonly after: Cursor | null
  readonly sink: Sink
}

/** Entries that others appended after `Following.after`, up to now. */
export type Missed = readonly Entry[] | 'trimmed'

type State =
  /** Entries that come while those before them are still being read. */
  | { readonly name: 'catching up'; readonly later: { readonly entry: Entry; readonly own: boolean }[] }
  | { readonly name: 'live' }
  | { readonly name: 'ended' }

/** Tells all who share one storage, and are connected to this process, what each of them appends and says. */
export class Fanout {
  readonly #followers = new Map<string, Set<Follower>>()

  /** @param missed what was appended since `after`; rejected: the follower is told that it is stale */
  follow(following: Following, missed: Promise<Missed>): Subscription {
    const follower = new Follower(following, () => this.#remove(follower))
    const followers = this.#followers.get(following.document) ?? new Set()
    this.#followers.set(following.document, followers.add(follower))
    void missed.then(
      (entries) => follower.caughtUp(entries),
      () => follower.caughtUp('trimmed'),
    )
    return follower
  }

  /** To be called in the order of the log, without leaving anything out. */
  appended(node: string, document: string, entry: Entry): void {
    for (const follower of this.#followers.get(document) ?? []) follower.append(entry, follower.node === node)
  }

  published(document: string, message: Message): void {
    for (const follower of this.#followers.get(document) ?? []) {
      if (follower.node !== message.from) follower.tell((sink) => sink.message(message))
    }
  }

  /** A node is gone: its subscriptions end, and the others are told. */
  left(node: string): void {
    for (const followers of this.#followers.values()) {
      for (const follower of followers) {
        if (follower.node === node) follower.end()
        else follower.tell((sink) => sink.left(node))
      }
    }
  }

  /** The storage is not what it was: nobody's position can be trusted. */
  lost(): void {
    for (const followers of this.#followers.values()) for (const follower of followers) follower.lose()
  }

  #remove(follower: Follower): void {
    const followers = this.#followers.get(follower.document)
    followers?.delete(follower)
    if (followers?.size === 0) this.#followers.delete(follower.document)
  }
}

class Follower implements Subscription {
  readonly node: string
  readonly document: string
  readonly #sink: Sink
  readonly #onEnd: () => void
  #position: Cursor | null
  #state: State = { name: 'catching up', later: [] }

  constructor({ node, document, after, sink }: Following, onEnd: () => void) {
    this.node = node
    this.document = document
    this.#position = after
    this.#sink = sink
    this.#onEnd = onEnd
  }

  get position(): Cursor | null {
    return this.#position
  }

  append(entry: Entry, own: boolean): void {
    if (this.#state.name === 'catching up') this.#state.later.push({ entry, own })
    else this.#give(entry, own)
  }

  caughtUp(missed: Missed): void {
    if (this.#state.name !== 'catching up') return
    const { later } = this.#state
    if (missed === 'trimmed') return this.lose()
    const known = new Set(missed.map(({ cursor }) => cursor))
    this.#state = { name: 'live' }
    for (const entry of missed) this.#give(entry, false)
    for (const { entry, own } of later) if (!known.has(entry.cursor)) this.#give(entry, own)
  }

  tell(what: (sink: Sink) => void): void {
    queueMicrotask(() => {
      if (this.#state.name !== 'ended') what(this.#sink)
    })
  }

  lose(): void {
    this.tell((sink) => {
      this.end()
      sink.stale()
    })
  }

  end(): void {
    if (this.#state.name === 'ended') return
    this.#state = { name: 'ended' }
    this.#onEnd()
  }

  /** The position moves on when the sink has all before it, not earlier: for our own entries too. */
  #give(entry: Entry, own: boolean): void {
    this.tell((sink) => {
      this.#position = entry.cursor
      if (!own) sink.entry(entry)
    })
  }
}
