import type { Arrival } from './arrivals.ts'
import type { ToWorker } from './messages.ts'

/**
 * Connections that are on the way to one worker at once. Node has one in the channel and waits until it has arrived, so
 * more would not be faster; and none of them can be taken back.
 */
const MOST_SENT = 4

/** A connection on its way to a worker, and where it could not be delivered. */
export interface Handoff extends Arrival {
  readonly refusedBy: Set<number>
}

/** The channel to one child process. */
export interface Channel {
  send(
    message: ToWorker,
    socket: Arrival['socket'],
    options: { readonly keepOpen: true },
    callback: (error: Error | null) => void,
  ): boolean
}

export interface HandoffsOptions {
  /** Told of each that did not arrive. */
  readonly onRefused: (handoff: Handoff) => void
  /** Asks the worker whether everything up to that one has arrived. */
  readonly ask: (id: number) => void
}

export interface Withdrawn {
  /** Not sent: another worker can have them. */
  readonly waiting: readonly Handoff[]
  /** Sent: the worker has them, or will. */
  readonly sent: readonly Handoff[]
}

/**
 * Connections that are for one worker and have not been taken by it. The channel keeps the order, so an answer to
 * a later one says that an earlier one without an answer was lost on the way: that happens to a socket for which the
 * worker has no free descriptor. Ours stays open until then, so that another worker can have it.
 */
export class Handoffs {
  readonly #options: HandoffsOptions
  #waiting: Handoff[] = []
  /** By number, in the order in which they were sent. */
  readonly #sent = new Map<number, Handoff>()
  #channel: Channel | null = null
  #lastId = 0
  /** The newest about which the worker was asked because no more could be sent. */
  #askedId = 0

  constructor(options: HandoffsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiting.length + this.#sent.size
  }

  /** The newest that was sent; 0: none yet. */
  get lastId(): number {
    return this.#lastId
  }

  send(channel: Channel, handoff: Handoff): void {
    this.#channel = channel
    this.#waiting.push(handoff)
    this.#sendWaiting()
  }

  /** The worker has that one: ours is closed, which the connection does not notice. */
  taken(id: number): void {
    const handoff = this.#sent.get(id)
    this.#sent.delete(id)
    handoff?.socket.destroy()
    this.reached(id)
  }

  /** Whatever was sent up to that one has arrived, or will not arrive. */
  reached(id: number): void {
    for (const sent of this.#sent.keys()) {
      if (sent > id) break
      this.#refused(sent)
    }
    this.#sendWaiting()
  }

  /** The worker is gone. */
  gone(): void {
    const { sent, waiting } = this.withdraw()
    for (const handoff of [...sent, ...waiting]) this.#options.onRefused(handoff)
  }

  /** Forgets all of them. */
  withdraw(): Withdrawn {
    const withdrawn = { waiting: this.#waiting, sent: [...this.#sent.values()] }
    this.#waiting = []
    this.#sent.clear()
    return withdrawn
  }

  #sendWaiting(): void {
    while (this.#sent.size < MOST_SENT) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      this.#transmit(next)
    }
    this.#askWhenStuck()
  }

  #transmit(handoff: Handoff): void {
    this.#lastId += 1
    const id = this.#lastId
    this.#sent.set(id, handoff)
    const { head, isAnswered, socket } = handoff
    this.#channel?.send({ type: 'connection', id, head, isAnswered }, socket, { keepOpen: true }, (error) => {
      if (error === null) return
      this.#refused(id)
      this.#sendWaiting()
    })
  }

  /** All that are on the way may have been lost. */
  #askWhenStuck(): void {
    const [oldest = 0] = this.#sent.keys()
    if (oldest <= this.#askedId) return
    this.#askedId = this.#lastId
    this.#options.ask(this.#lastId)
  }

  #refused(id: number): void {
    const handoff = this.#sent.get(id)
    if (handoff === undefined) return
    this.#sent.delete(id)
    this.#options.onRefused(handoff)
  }
}
