import { Reader } from './reader.ts'
import { varUintLength, writeVarUint } from './writer.ts'

/** One collaborator's presence on the wire: `varUint client, varUint clock, str JSON` (`null` = gone). */
export interface PresenceState {
  readonly client: number
  /** Rises with every change; receivers apply a state when its clock is above the one they know (unknown counts as 0). */
  readonly clock: number
  /** UTF-8 JSON, as the client wrote it: an object, or `null`. */
  readonly json: Uint8Array
}

/** `varUint 0 … n` states need at least this many bytes each: client, clock and an empty string. */
const MIN_STATE_BYTES = 3

/**
 * Reads `varUint n, n × state` to the very end.
 *
 * @returns views on the frame
 * @throws MalformedFrameError
 */
export function readAwareness(states: Uint8Array): PresenceState[] {
  const reader = new Reader(states)
  const count = reader.count(MIN_STATE_BYTES)
  const result: PresenceState[] = []
  for (let index = 0; index < count; index += 1) {
    result.push({ client: reader.varUint(), clock: reader.varUint(), json: reader.buffer() })
  }
  reader.finish()
  return result
}

export function encodeAwareness(states: readonly PresenceState[]): Uint8Array {
  let size = varUintLength(states.length)
  for (const { client, clock, json } of states) {
    size += varUintLength(client) + varUintLength(clock) + varUintLength(json.length) + json.length
  }
  const bytes = new Uint8Array(size)
  let position = writeVarUint(bytes, 0, states.length)
  for (const { client, clock, json } of states) {
    position = writeVarUint(bytes, position, client)
    position = writeVarUint(bytes, position, clock)
    position = writeVarUint(bytes, position, json.length)
    bytes.set(json, position)
    position += json.length
  }
  return bytes
}
