/** Bytes of the first slab and of the largest: small at first, or a receiver each would have the collector run instead. */
const FIRST_SLAB = 512 * 1024
const LAST_SLAB = 32 * 1024 * 1024
const FIRST = 4096

/** One received message, as it came. */
export interface Recorded {
  /** The number the receiver was recorded under. */
  readonly receiver: number
  /** Milliseconds on the `performance.now()` scale. */
  readonly time: number
  readonly bytes: Buffer
}

/**
 * Keeps every received message raw, in large slabs, so that recording costs one copy and nothing is decoded while the
 * clock runs.
 */
export class Recorder {
  private readonly slabs: Buffer[] = []
  private used = 0
  private receivers = new Uint32Array(FIRST)
  private slabOf = new Uint32Array(FIRST)
  private offsets = new Uint32Array(FIRST)
  private lengths = new Uint32Array(FIRST)
  private times = new Float64Array(FIRST)
  count = 0
  /** Sum of the lengths of all messages. */
  bytes = 0
  /** When the last message arrived; 0 before the first. */
  lastTime = 0

  add(receiver: number, time: number, source: Buffer, range: { start: number; end: number }): void {
    const length = range.end - range.start
    const slab = this.slabFor(length)
    source.copy(slab, this.used, range.start, range.end)
    if (this.count === this.times.length) this.grow()
    const at = this.count++
    this.receivers[at] = receiver
    this.slabOf[at] = this.slabs.length - 1
    this.offsets[at] = this.used
    this.lengths[at] = length
    this.times[at] = time
    this.used += length
    this.bytes += length
    this.lastTime = time
  }

  *[Symbol.iterator](): Generator<Recorded> {
    for (let at = 0; at < this.count; at++) {
      const offset = this.offsets[at] ?? 0
      const slab = this.slabs[this.slabOf[at] ?? 0]
      if (slab === undefined) return
      yield {
        receiver: this.receivers[at] ?? 0,
        time: this.times[at] ?? 0,
        bytes: slab.subarray(offset, offset + (this.lengths[at] ?? 0)),
      }
    }
  }

  private slabFor(length: number): Buffer {
    const last = this.slabs.at(-1)
    if (last !== undefined && this.used + length <= last.length) return last
    const size = Math.min(LAST_SLAB, FIRST_SLAB * 2 ** this.slabs.length)
    const slab = Buffer.allocUnsafeSlow(Math.max(size, length))
    this.slabs.push(slab)
    this.used = 0
    return slab
  }

  private grow(): void {
    const size = this.times.length * 2
    const copy = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const next = new Uint32Array(size)
      next.set(old)
      return next
    }
    this.receivers = copy(this.receivers)
    this.slabOf = copy(this.slabOf)
    this.offsets = copy(this.offsets)
    this.lengths = copy(this.lengths)
    const times = new Float64Array(size)
    times.set(this.times)
    this.times = times
  }
}
