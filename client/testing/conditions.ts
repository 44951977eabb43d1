/** What a network does to what passes through it. All may be changed while it runs; what is under way keeps its times. */
export interface NetworkConditions {
  /** One-way delay. Milliseconds, default 0. */
  readonly latencyMs: number
  /**
   * Up to this much is added to the delay, drawn anew each time. Order within a connection stays, as TCP keeps it; what
   * travels on different connections overtakes. Milliseconds, default 0.
   */
  readonly jitterMs: number
  /** Bytes per second, for each direction of each connection. Default `Infinity`. */
  readonly bytesPerSecond: number
  /**
   * How likely a message (of a socket proxy: a piece of what is read) is, instead of arriving, to be the last thing that
   * ever travelled on its connection, which then ends for both sides. 0 to 1, default 0.
   */
  readonly cutProbability: number
}

export const perfectConditions: NetworkConditions = {
  latencyMs: 0,
  jitterMs: 0,
  bytesPerSecond: Infinity,
  cutProbability: 0,
}

/**
 * Conditions complete and checked.
 *
 * @throws RangeError that names the condition which no network can have
 */
export function changeConditions(
  known: NetworkConditions,
  changes: Partial<NetworkConditions> | undefined,
): NetworkConditions {
  const conditions = { ...known, ...changes }
  for (const name of ['latencyMs', 'jitterMs'] as const) {
    if (!(conditions[name] >= 0 && conditions[name] < Infinity)) throw impossible(name, conditions[name])
  }
  if (!(conditions.bytesPerSecond > 0)) throw impossible('bytesPerSecond', conditions.bytesPerSecond)
  if (!(conditions.cutProbability >= 0 && conditions.cutProbability <= 1)) {
    throw impossible('cutProbability', conditions.cutProbability)
  }
  return conditions
}

function impossible(name: keyof NetworkConditions, value: unknown): RangeError {
  return new RangeError(`network condition ${name} cannot be ${String(value)}`)
}
