import type { Arrival } from './arrivals.ts'
import type { ToWorker } from './messages.ts'

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

/**
 * Connections that were sent to one worker and have not been taken by it. The channel keeps the order, so an answer to
 * a later one says that an earlier one without an answer was lost on the way: that happens to a socket for which the
 * worker has no free descriptor. Ours stays open until then, so that another worker can have it.
 */
export class Handoffs {
  /** In the order in which they were sent. */
  readonly #pending = new Map<number, Handoff>()
  readonly #onRefused: (handoff: Handoff) => void
  #lastId = 0

  /** @param onRefused told of each that did not arrive */
  constructor(onRefused: (handoff: Handoff) => void) {
    this.#onRefused = onRefused
  }

  get size(): number {
    return this.#pending.size
  }

  /** The newest; 0: none yet. */
  get lastId(): number {
    return this.#lastId
  }

  send(channel: Channel, handoff: Handoff): void {
    this.#lastId += 1
    const id = this.#lastId
    this.#pending.set(id, handoff)
    const { head, isAnswered, socket } = handoff
    channel.send({ type: 'connection', id, head, isAnswered }, socket, { keepOpen: true }, (error) => {
      if (error !== null) this.#refused(id)
    })
  }

  /** The worker has that one: ours is closed, which the connection does not notice. */
  taken(id: number): void {
    const handoff = this.#pending.get(id)
    this.#pending.delete(id)
    handoff?.socket.destroy()
    this.reached(id)
  }

  /** Whatever was sent up to that one has arrived, or will not arrive. */
  reached(id: number): void {
    for (const pending of this.#pending.keys()) {
      if (pending > id) return
      this.#refused(pending)
    }
  }

  /** The worker is gone. */
  gone(): void {
    this.reached(this.#lastId)
  }

  #refused(id: number): void {
    const handoff = this.#pending.get(id)
    if (handoff === undefined) return
    this.#pending.delete(id)
    this.#onRefused(handoff)
  }
}
