/** A growing list of numbers without boxing: millions of latencies. */
export class NumberList {
  private values = new Float64Array(1024)
  private sorted = false
  count = 0

  add(value: number): void {
    if (this.count === this.values.length) {
      const next = new Float64Array(this.count * 2)
      next.set(this.values)
      this.values = next
    }
    this.values[this.count++] = value
    this.sorted = false
  }

  /** The value below which the share `q` (0 to 1) lies; NaN without values. */
  quantile(q: number): number {
    return this.inOrder()[Math.min(this.count - 1, Math.floor(this.count * q))] ?? Number.NaN
  }

  /** The mean of the lower half, the one in the middle included; NaN without values. */
  meanOfLowerHalf(): number {
    const half = this.inOrder().subarray(0, Math.ceil(this.count / 2))
    return half.reduce((sum, value) => sum + value, 0) / half.length
  }

  private inOrder(): Float64Array {
    const used = this.values.subarray(0, this.count)
    if (!this.sorted) used.sort()
    this.sorted = true
    return used
  }
}

/** Seeded randomness (mulberry32), so that every server gets the same load. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
