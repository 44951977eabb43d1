import type { Cursor, Entry, Message, Sink, Subscription } from '../engine.ts'
import { FrameType } from './frames.ts'
import type { Outlet } from './outlet.ts'

/** A subscription, and when what was missed before it began has been told. Never rejects. */
export interface Following {
  readonly subscription: Subscription
  readonly caughtUp: Promise<void>
}

export interface FollowerOptions {
  readonly document: string
  readonly after: Cursor | null
  /** Of the subscription, on the wire. */
  readonly id: number
  readonly outlet: Outlet
  /** True while the process does not take what it is sent. */
  readonly congested: () => boolean
  readonly follow: (after: Cursor | null, sink: Sink) => Following
  /** The order is lost, and so is the subscription. */
  readonly onStale: () => void
}

type State =
  | { readonly name: 'following'; readonly subscription: Subscription }
  /** Entries stay in the log until the process takes what it has been sent. */
  | { readonly name: 'behind' }
  | { readonly name: 'ended' }

/** What one process is told of one document. */
export class HostedFollower implements Sink {
  readonly document: string
  readonly #options: FollowerOptions
  /** The last entry that was told, or where the process began. */
  #told: Cursor | null
  #state: State

  constructor(options: FollowerOptions) {
    this.#options = options
    this.document = options.document
    this.#told = options.after
    const { subscription, caughtUp } = options.follow(options.after, this)
    this.#state = { name: 'following', subscription }
    void caughtUp.then(() => this.#tellReached())
  }

  get isBehind(): boolean {
    return this.#state.name === 'behind'
  }

  /** Everything up to here has been told, or is the process's own; null: not known. Own appends may share one commit. */
  get reached(): Cursor | null {
    return this.#state.name === 'following' ? this.#state.subscription.position : null
  }

  /** Reads the log from where we are: some of it may not have been told. */
  async followAgain(): Promise<void> {
    if (this.#state.name === 'ended') return
    if (this.#state.name === 'following') this.#state.subscription.end()
    const { subscription, caughtUp } = this.#options.follow(this.#told, this)
    this.#state = { name: 'following', subscription }
    await caughtUp
    this.#tellReached()
  }

  entry({ cursor, update }: Entry): void {
    if (this.#options.congested()) return this.#fallBehind()
    const { outlet, id } = this.#options
    outlet.begin(FrameType.entry, id).cursor(cursor).rest(update).end()
    this.#told = cursor
  }

  message({ from, kind, bytes }: Message): void {
    const { outlet, id, congested } = this.#options
    if (!congested()) outlet.begin(FrameType.message, id).text(from).text(kind).copy(bytes).end()
  }

  stale(): void {
    const { outlet, id, onStale } = this.#options
    this.end()
    outlet.begin(FrameType.stale, id).end()
    onStale()
  }

  left(node: string): void {
    const { outlet, id } = this.#options
    outlet.begin(FrameType.left, id).text(node).end()
  }

  end(): void {
    if (this.#state.name === 'following') this.#state.subscription.end()
    this.#state = { name: 'ended' }
  }

  /**
   * Appends of the process itself may have been answered while what came before them was still being read, and nothing
   * else would tell it that it has everything. In a microtask: what was read is told in one.
   */
  #tellReached(): void {
    queueMicrotask(() => {
      const { reached } = this
      const { outlet, id } = this.#options
      if (reached !== null && reached !== this.#told) outlet.begin(FrameType.reached, id).cursor(reached).end()
    })
  }

  #fallBehind(): void {
    if (this.#state.name === 'following') this.#state.subscription.end()
    this.#state = { name: 'behind' }
  }
}
