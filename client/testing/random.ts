/** A seeded source of choices (mulberry32): the same seed, the same history. */
export class Random {
  #state: number

  /** @param seed any integer; its lowest 32 bits count */
  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 ≤ result < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  /** An integer, 0 ≤ result < bound. */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(choices: readonly T[]): T | undefined {
    return choices[this.below(choices.length)]
  }
}
