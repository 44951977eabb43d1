import type { PresenceState } from '../../shared/wire/awareness.ts'
import { readAwareness } from '../../shared/wire/awareness.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { encodeString, varUintLength, writeVarUint } from '../../shared/wire/writer.ts'
import type { Message } from '../engine/engine.ts'

/**
 * What nodes tell one another about presence. Every message begins with `varUint sequence`, which rises with each message
 * of a node about a document, so that late and repeated ones are recognised. Then, by kind:
 *
 *     presence    an awareness update: what has changed among the sender's clients; `null` = gone
 *     present     an awareness update: all clients of the sender, there may be none
 *     raised      an awareness update with empty JSON: the clocks under which somebody knows clients of other nodes
 *     who         nothing: everybody is asked for `present`
 *     challenge   varUint client, varUint clock, str node: that node is asked whether the socket of its client is alive,
 *                 which the sender knows under this clock
 *
 * where an awareness update is `varUint n, n × [varUint client, varUint clock, str JSON]`.
 */
export type PresenceMessage =
  | { readonly kind: 'presence' | 'present' | 'raised'; readonly sequence: number; readonly states: PresenceState[] }
  | { readonly kind: 'who'; readonly sequence: number }
  | ({ readonly kind: 'challenge'; readonly sequence: number } & Challenge)

export interface Challenge {
  readonly client: number
  readonly clock: number
  /** `Engine.node` of the one asked. */
  readonly node: string
}

const kinds = ['presence', 'present', 'raised', 'who', 'challenge'] as const
type Kind = (typeof kinds)[number]

/**
 * Null when the kind is not about presence. States are views on the message.
 *
 * @throws MalformedFrameError
 */
export function readPresenceMessage(message: Message): PresenceMessage | null {
  const kind = kinds.find((known) => known === message.kind)
  if (kind === undefined) return null
  const reader = new Reader(message.bytes)
  return readBody(kind, reader.varUint(), reader)
}

function readBody(kind: Kind, sequence: number, reader: Reader): PresenceMessage {
  if (kind === 'challenge') return { kind, sequence, ...readChallenge(reader) }
  if (kind !== 'who') return { kind, sequence, states: readAwareness(reader.bytes.subarray(reader.position)) }
  reader.finish()
  return { kind, sequence }
}

function readChallenge(reader: Reader): Challenge {
  const challenge = { client: reader.varUint(), clock: reader.varUint(), node: reader.string() }
  reader.finish()
  return challenge
}

/** `varUint sequence`, then the body as it is. */
export function encodePresenceMessage(sequence: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(varUintLength(sequence) + body.length)
  bytes.set(body, writeVarUint(bytes, 0, sequence))
  return bytes
}

/** The body of a `challenge`. */
export function encodeChallenge({ client, clock, node }: Challenge): Uint8Array {
  const name = encodeString(node)
  const bytes = new Uint8Array(varUintLength(client) + varUintLength(clock) + name.length)
  bytes.set(name, writeVarUint(bytes, writeVarUint(bytes, 0, client), clock))
  return bytes
}
