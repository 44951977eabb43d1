import type { Clock } from './clock.ts'
import type { NetworkConditions } from './conditions.ts'
import type { Random } from './random.ts'

interface Waiting {
  readonly due: number
  readonly bytes: number
  readonly deliver: () => void
}

export interface DelayLineOptions {
  readonly clock: Clock
  readonly random: Random
  /** Asked for each item, so that conditions can change. */
  readonly conditions: () => NetworkConditions
}

/** One direction of one connection: what goes in comes out later, and nothing before what went in before it. */
export class DelayLine {
  readonly #clock: Clock
  readonly #random: Random
  readonly #conditions: () => NetworkConditions
  #waiting: Waiting[] = []
  #bytes = 0
  #cancel: (() => void) | null = null
  /** When the last bit of everything before has left. */
  #sentAt = -Infinity

  constructor({ clock, random, conditions }: DelayLineOptions) {
    this.#clock = clock
    this.#random = random
    this.#conditions = conditions
  }

  /** Bytes under way, on the wire or before it. */
  get bytes(): number {
    return this.#bytes
  }

  /** Bytes that have not left yet, because the line is not fast enough: what a WebSocket calls `bufferedAmount`. */
  get unsent(): number {
    const milliseconds = this.#sentAt - this.#clock.now()
    return milliseconds > 0 ? Math.ceil((milliseconds * this.#conditions().bytesPerSecond) / 1000) : 0
  }

  /** Runs `deliver` when `bytes` bytes would have arrived; never in this turn. */
  push(bytes: number, deliver: () => void): void {
    const { latencyMs, jitterMs, bytesPerSecond } = this.#conditions()
    this.#sentAt = Math.max(this.#clock.now(), this.#sentAt) + (bytes / bytesPerSecond) * 1000
    const due = this.#sentAt + latencyMs + jitterMs * this.#random.next()
    this.#waiting.push({ due, bytes, deliver })
    this.#bytes += bytes
    this.#arm()
  }

  /** Everything under way is lost. */
  clear(): void {
    this.#cancel?.()
    this.#cancel = null
    this.#waiting = []
    this.#bytes = 0
    this.#sentAt = -Infinity
  }

  #arm(): void {
    const [first] = this.#waiting
    if (first === undefined || this.#cancel !== null) return
    this.#cancel = this.#clock.after(first.due - this.#clock.now(), () => this.#run())
  }

  #run(): void {
    const now = this.#clock.now()
    // What a delivery pushes has a turn of its own, so that two ends that answer each other at once do not starve others.
    this.#cancel = () => undefined
    try {
      for (let left = this.#waiting.length; left > 0; left -= 1) {
        const [first] = this.#waiting // read anew: a delivery may have cleared the line
        if (first === undefined || first.due > now) break
        this.#waiting.shift()
        this.#bytes -= first.bytes
        first.deliver()
      }
    } finally {
      this.#cancel = null
      this.#arm()
    }
  }
}
