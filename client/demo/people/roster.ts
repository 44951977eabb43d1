import type { Awareness } from 'y-protocols/awareness'
import { MODES } from '../net/address.ts'
import type { Mode } from '../net/address.ts'
import { readPerson } from './person.ts'
import type { Person } from './person.ts'

/** Someone else who has the document open. */
export interface Peer {
  readonly client: number
  readonly person: Person
  /** The page they are on; null: their editor does not say. */
  readonly mode: Mode | null
  readonly isIdle: boolean
}

/** Everyone else, in an order that does not change while they stay. */
export function peers(awareness: Awareness): Peer[] {
  const others = [...awareness.getStates()].filter(([client]) => client !== awareness.clientID)
  return others.sort(([left], [right]) => left - right).flatMap(([client, state]) => readPeer(client, state) ?? [])
}

export function peer(awareness: Awareness, client: number): Peer | undefined {
  const state = awareness.getStates().get(client)
  return state === undefined ? undefined : readPeer(client, state)
}

function readPeer(client: number, state: Record<string, unknown>): Peer | undefined {
  const person = readPerson(state['user'])
  if (person === undefined) return undefined
  const mode = MODES.find((name) => name === state['mode']) ?? null
  return { client, person, mode, isIdle: state['idle'] === true }
}
