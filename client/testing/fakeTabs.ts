import type { Tabs } from '../environment.ts'
import type { Clock } from './clock.ts'

interface Subscriber {
  readonly origin: object
  readonly listener: (data: Uint8Array) => void
}

/** The tabs of one browser. What is published arrives in a turn of its own, as from another process. */
export class FakeTabs implements Tabs {
  readonly #clock: Clock
  readonly #channels = new Map<string, Set<Subscriber>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Subscriptions that were made and not ended: 0 when everything was cleaned up. */
  get subscribers(): number {
    return [...this.#channels.values()].reduce((sum, subscribers) => sum + subscribers.size, 0)
  }

  subscribe(channel: string, origin: object, listener: (data: Uint8Array) => void): () => void {
    const subscribers = this.#channels.get(channel) ?? new Set()
    this.#channels.set(channel, subscribers)
    const subscriber = { origin, listener }
    subscribers.add(subscriber)
    return () => void subscribers.delete(subscriber)
  }

  publish(channel: string, origin: object, data: Uint8Array): void {
    const copy = data.slice()
    this.#clock.after(0, () => {
      for (const subscriber of this.#channels.get(channel) ?? []) {
        if (subscriber.origin !== origin) subscriber.listener(copy)
      }
    })
  }
}
