import { changeConditions, perfectConditions } from '../conditions.ts'
import type { NetworkConditions } from '../conditions.ts'

/** What a socket proxy does to the bytes that pass through it. */
export interface ProxyConditions extends NetworkConditions {
  /** Bytes are handed on in pieces of at most this size, each in a write of its own. 1: byte by byte. Default `Infinity`. */
  readonly pieceBytes: number
}

export const perfectProxyConditions: ProxyConditions = { ...perfectConditions, pieceBytes: Infinity }

/**
 * Conditions complete and checked.
 *
 * @throws RangeError that names the condition which no network can have
 */
export function changeProxyConditions(
  known: ProxyConditions,
  changes: Partial<ProxyConditions> | undefined,
): ProxyConditions {
  const pieceBytes = changes?.pieceBytes ?? known.pieceBytes
  if (!(pieceBytes >= 1)) throw new RangeError(`network condition pieceBytes cannot be ${String(pieceBytes)}`)
  return { ...changeConditions(known, changes), pieceBytes }
}
