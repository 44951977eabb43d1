/** A seeded source of choices (mulberry32): the same seed, the same history. */
export class Random {
  #state: number

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

/** Runs `history` for each seed of a range and names the seed when it fails. `first` can be set to replay one. */
export async function forSeeds(
  { name, runs, first }: { readonly name: string; readonly runs: number; readonly first: number },
  history: (seed: number) => Promise<void> | void,
): Promise<void> {
  for (let seed = first; seed < first + runs; seed += 1) {
    try {
      await history(seed)
    } catch (error) {
      throw new Error(`${name}: seed ${seed} fails`, { cause: error })
    }
  }
}

/** A whole number from the environment. */
export function fromEnvironment(name: string, otherwise: number): number {
  const text = process.env[name]
  return text === undefined || text === '' ? otherwise : Number(text)
}
