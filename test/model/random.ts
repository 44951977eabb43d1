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
