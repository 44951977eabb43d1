import type { Faults } from './faults.ts'

interface Parcel {
  readonly bytes: number
  readonly deliver: () => void
}

/** One direction of a slow connection: delivers in order, each after the time the faults of that moment ask for. */
export class DelayLine {
  readonly #faults: () => Faults
  readonly #queue: Parcel[] = []
  #bytes = 0
  /** When the line is free for the next parcel, on the scale of `performance.now()`. */
  #freeAt = 0
  #timer: ReturnType<typeof setTimeout> | null = null

  constructor(faults: () => Faults) {
    this.#faults = faults
  }

  /** Bytes under way. */
  get bytes(): number {
    return this.#bytes
  }

  /** Delivers at once when nothing is wrong and nothing is waiting. */
  put(bytes: number, deliver: () => void): void {
    const { latency, bytesPerSecond } = this.#faults()
    if (this.#queue.length === 0 && latency === 0 && bytesPerSecond === Infinity) return deliver()
    this.#queue.push({ bytes, deliver })
    this.#bytes += bytes
    if (this.#timer === null) this.#carry(bytes)
  }

  /** What is under way is lost. */
  clear(): void {
    this.#queue.length = 0
    this.#bytes = 0
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #carry(bytes: number): void {
    const { latency, bytesPerSecond } = this.#faults()
    const now = performance.now()
    // Parcels follow one another at the line's rate; the distance is travelled by all of them at the same time.
    const start = Math.max(now - latency / 2, this.#freeAt)
    this.#freeAt = start + (bytes / bytesPerSecond) * 1000
    this.#timer = setTimeout(this.#arrive, Math.max(0, this.#freeAt + latency / 2 - now))
  }

  readonly #arrive = (): void => {
    this.#timer = null
    const parcel = this.#queue.shift()
    if (parcel === undefined) return
    this.#bytes -= parcel.bytes
    parcel.deliver()
    const next = this.#queue[0]
    if (next !== undefined && this.#timer === null) this.#carry(next.bytes)
  }
}
