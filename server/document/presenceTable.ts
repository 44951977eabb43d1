import type { PresenceState } from '../../shared/wire/awareness.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import type { Departed, Entry, Present, Speaker } from './presenceEntry.ts'
import { RemoteNode } from './remoteNode.ts'

/** Milliseconds a departed client's clock is remembered, so that echoes of its last state do not bring it back. */
const FORGET_AFTER_MS = 60_000
/** Departed clients remembered per document; beyond that the oldest are forgotten. */
const MAX_DEPARTED = 1_000
/**
 * What other nodes know of a client's clock is believed up to this far ahead of what we know: each return raises it by
 * one. A forger on a node that did not know the client yet must not leave its owner at the end of all clocks.
 */
export const MAX_LEAP = 1_000

/** The JSON that says so. */
const GONE = Buffer.from('null')
const NO_JSON = new Uint8Array(0)

export interface PresenceChanges {
  /** One awareness update. */
  readonly update: Uint8Array
  readonly speaker: Speaker | null
}

/** Who is present and who has been, by client id, and which of that others have not been told. */
export class PresenceTable {
  readonly #entries = new Map<number, Entry>()
  readonly #onChange: () => void
  /** Ids to be told of; null when there are none, as in most documents most of the time. */
  #changed: Set<number> | null = null
  /** What other nodes are to hear of the last changes; null when nothing, or when nobody follows. */
  #ownChanges: Uint8Array | null = null
  /** Ids of ours that other nodes do not know of although nothing has changed here. */
  #retold: Set<number> | null = null
  /** Ids whose clock is higher here than where they are connected. */
  #raised: Set<number> | null = null
  #isShared = false
  #turn = 0
  #bytes = 0
  #departedCount = 0

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get changed(): boolean {
    return this.#changed !== null
  }

  /** Bytes of all states. */
  get bytes(): number {
    return this.#bytes
  }

  /** From now on what other nodes have to hear is kept until it is taken. */
  share(): void {
    this.#isShared = true
  }

  get(client: number): Entry | undefined {
    return this.#entries.get(client)
  }

  [Symbol.iterator](): IterableIterator<[number, Entry]> {
    return this.#entries.entries()
  }

  nextTurn(): number {
    this.#turn += 1
    return this.#turn
  }

  /** A new state, to be told to the room. */
  hold(client: number, entry: Present): void {
    const before = this.#entries.get(client)
    if (before?.name === 'present') this.#bytes -= before.json.length
    else if (before !== undefined) this.#departedCount -= 1
    this.#bytes += entry.json.length
    this.#entries.set(client, entry)
    // In this order: who waits for the former owner to lose it looks at the entry.
    if (entry.owner instanceof RemoteNode) entry.owner.clients.add(client)
    if (before?.name === 'present' && before.owner !== entry.owner) release(client, before)
    this.mark(client)
  }

  /** The same state and owner with other particulars, not to be told. */
  amend(client: number, entry: Present): void {
    this.#entries.set(client, entry)
  }

  /** @param clock the one under which the departure was announced; it counts if it is above what we know */
  depart(client: number, now: number, clock = 0): void {
    const entry = this.#entries.get(client)
    if (entry?.name !== 'present') return
    this.#bytes -= entry.json.length
    this.remember(client, { ...departed(entry, clock), since: now, turn: this.nextTurn() })
    release(client, entry)
    this.mark(client)
  }

  /** Who is not, or no longer, present. */
  remember(client: number, entry: Departed): void {
    if (this.#entries.get(client)?.name !== 'departed') this.#departedCount += 1
    // Deleted first, so that departed clients stay in order of departure and the oldest are forgotten first.
    this.#entries.delete(client)
    this.#entries.set(client, entry)
  }

  /** Somebody on another node knows the client under this clock: what we say of it from now on has to be above. */
  lift(client: number, clock: number): void {
    const entry = this.#entries.get(client)
    if (entry === undefined || clock <= entry.clock || clock - entry.clock > MAX_LEAP) return
    this.#entries.set(client, entry.name === 'present' ? { ...entry, clock, announced: clock } : { ...entry, clock })
  }

  mark(client: number): void {
    this.#changed ??= new Set()
    this.#changed.add(client)
    this.#onChange()
  }

  /** Somebody here knows the client under a clock above the one other nodes do. */
  markRaised(client: number): void {
    if (!this.#isShared) return
    this.#raised ??= new Set()
    this.#raised.add(client)
  }

  /** Another node does not know that the client is one of ours. */
  retell(client: number): void {
    this.#retold ??= new Set()
    this.#retold.add(client)
  }

  sweep(now: number, timeout: number): void {
    for (const [client, entry] of this.#entries) {
      if (entry.name === 'present' && now - entry.renewedAt >= timeout) this.depart(client, now)
      else if (entry.name === 'departed' && this.#mayForget(entry, now)) this.#forget(client)
    }
  }

  /** `speaker`: who has said all of it and in these words; null: nobody has. */
  takeChanges(): PresenceChanges | null {
    const changed = this.#changed
    if (changed === null) return null
    this.#changed = null
    const bytes = encodeAwareness(this.#states(changed))
    if (this.#isShared) this.#ownChanges = this.#ownPart(changed, bytes)
    return { update: bytes, speaker: this.#speakerOf(changed) }
  }

  /** The part of what `takeChanges` returned last that is about clients of ours; null when there is none. */
  takeOwnChanges(): Uint8Array | null {
    const own = this.#ownChanges
    this.#ownChanges = null
    return own
  }

  takeRetold(): Uint8Array | null {
    const retold = this.#retold
    if (retold === null) return null
    this.#retold = null
    return this.#ownPart(retold, null)
  }

  /** States without JSON: a client and the clock under which it is known here. */
  takeRaised(): Uint8Array | null {
    const raised = this.#raised
    if (raised === null) return null
    this.#raised = null
    return encodeAwareness(this.#states(raised).map(({ client, clock }) => ({ client, clock, json: NO_JSON })))
  }

  /** All who are present, as one awareness update; null when nobody is. */
  encodeAll(): Uint8Array | null {
    const states: PresenceState[] = []
    for (const [client, entry] of this.#entries) if (entry.name === 'present') states.push(stateOf(client, entry))
    return states.length === 0 ? null : encodeAwareness(states)
  }

  /** All of ours who are present, as one awareness update, which may be about nobody. */
  encodeOwn(): Uint8Array {
    const states: PresenceState[] = []
    for (const [client, entry] of this.#entries) {
      if (entry.name === 'present' && isOurs(entry)) states.push(stateOf(client, entry))
    }
    return encodeAwareness(states)
  }

  /** Not of a state that is told under another clock than it was said, or of somebody's end. */
  #speakerOf(clients: Iterable<number>): Speaker | null {
    let speaker: Speaker | null = null
    for (const client of clients) {
      const entry = this.#entries.get(client)
      const isSaid = entry?.name === 'present' && entry.clock === entry.ownerClock
      if (!isSaid || (speaker !== null && speaker !== entry.owner)) return null
      speaker = entry.owner
    }
    return speaker
  }

  #states(clients: Iterable<number>): PresenceState[] {
    const states: PresenceState[] = []
    for (const client of clients) {
      const entry = this.#entries.get(client)
      if (entry !== undefined) states.push(stateOf(client, entry))
    }
    return states
  }

  /** Usually all of it: then it need not be encoded a second time. */
  #ownPart(clients: ReadonlySet<number>, all: Uint8Array | null): Uint8Array | null {
    const own: number[] = []
    for (const client of clients) {
      const entry = this.#entries.get(client)
      if (entry !== undefined && isOurs(entry)) own.push(client)
    }
    if (own.length === 0) return null
    return all !== null && own.length === clients.size ? all : encodeAwareness(this.#states(own))
  }

  #mayForget(entry: Departed, now: number): boolean {
    return now - entry.since >= FORGET_AFTER_MS || this.#departedCount > MAX_DEPARTED
  }

  #forget(client: number): void {
    this.#entries.delete(client)
    this.#departedCount -= 1
  }
}

/** Whether a session of this node speaks for the client, or did last. */
export function isOurs(entry: Entry): boolean {
  return entry.name === 'present' ? !(entry.owner instanceof RemoteNode) : entry.node === null
}

function release(client: number, { owner }: Present): void {
  if (owner instanceof RemoteNode) owner.lose(client)
}

function departed(entry: Present, said: number): Omit<Departed, 'since' | 'turn'> {
  const { owner } = entry
  const clock = Math.max(entry.clock, said)
  if (!(owner instanceof RemoteNode)) return { name: 'departed', clock, node: null, ownerClock: clock }
  return { name: 'departed', clock, node: owner.name, ownerClock: Math.max(entry.ownerClock, said) }
}

function stateOf(client: number, entry: Entry): PresenceState {
  return { client, clock: entry.clock, json: entry.name === 'present' ? Buffer.from(entry.json) : GONE }
}
