/** What is wrong with the network, as chosen in the panel. */
export interface Faults {
  readonly isOffline: boolean
  /** Milliseconds added to each round trip, half of them each way. */
  readonly latency: number
  /** Each way; Infinity: as fast as it is. */
  readonly bytesPerSecond: number
}

export const NO_FAULTS: Faults = { isOffline: false, latency: 0, bytesPerSecond: Infinity }
