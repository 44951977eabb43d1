import { ProtocolViolationError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import { isGone, isPresentable } from './presenceJson.ts'

/** Milliseconds a departed client's clock is remembered, so that echoes of its last state do not bring it back. */
const FORGET_AFTER_MS = 60_000
/** Departed clients remembered per document; beyond that the oldest are forgotten. */
const MAX_DEPARTED = 1_000

/** The JSON that says so. */
const GONE = new Uint8Array([0x6e, 0x75, 0x6c, 0x6c])

/** Who speaks for client ids: a session. Presence needs to know nothing else about it. */
export interface Speaker {
  /** False when the socket is dead; asking closes a dead one (rule A5). */
  challenge(): Promise<boolean>
}

interface Present {
  readonly name: 'present'
  readonly owner: Speaker
  /** The clock the room knows. */
  readonly clock: number
  /** The last clock the owner itself used; behind `clock` after a return, until the owner adopts the higher one. */
  readonly ownerClock: number
  readonly json: Uint8Array
  readonly renewedAt: number
}

interface Departed {
  readonly name: 'departed'
  readonly clock: number
  readonly since: number
}

/** Who said something, and how. */
interface Voice {
  readonly speaker: Speaker
  /** Whether the state was the only one in its frame: what others are told they send back in bundles. */
  readonly alone: boolean
  readonly now: number
}

/** What became of one received state. */
export type Outcome =
  | 'applied'
  /** Old news, or about somebody else's client: y-websocket clients send back all presence they are told. */
  | 'ignored'
  /** Not presence at all: a strike against the sender. */
  | 'impossible'

/**
 * Who is in one document, as promise P4 wants it: nobody speaks for somebody else, who left is gone, who returns is
 * visible at once. Rules A1 to A9 of SPEC.md. Holds raw JSON, parses it once to check it, never keeps the objects.
 */
export class Presence {
  readonly #limits: Limits
  readonly #entries = new Map<number, Present | Departed>()
  /** Client ids per speaker, for its limit and for its departure. */
  readonly #spoken = new Map<Speaker, Set<number>>()
  /** Speakers that have disputed somebody's id already: one dispute each, so that echoes cause no storm of pings. */
  readonly #disputed = new WeakSet<Speaker>()
  readonly #left = new WeakSet<Speaker>()
  readonly #changed = new Set<number>()
  readonly #onChange: () => void
  #bytes = 0
  #departedCount = 0

  /** @param onChange called whenever there is something for `takeChanges` to take; cheap and idempotent */
  constructor(limits: Limits, onChange: () => void) {
    this.#limits = limits
    this.#onChange = onChange
  }

  /** True when something has changed since the last `takeChanges`. */
  get changed(): boolean {
    return this.#changed.size > 0
  }

  /** Takes one frame's states; throws when the frame is larger than even an echo of the whole room can be. */
  receive(speaker: Speaker, states: readonly PresenceState[], bytes: number, now: number): 'fine' | 'strike' {
    if (bytes > this.#limits.maxAwarenessBytes + 2 * this.#bytes) throw new ProtocolViolationError('presence too large')
    const voice: Voice = { speaker, alone: states.length === 1, now }
    let verdict: 'fine' | 'strike' = 'fine'
    for (const state of states) {
      if (this.#apply(voice, state) === 'impossible') verdict = 'strike'
    }
    return verdict
  }

  /** The speaker is gone, and so are all it spoke for. The clock is not raised, or they could not return (A4). */
  leave(speaker: Speaker, now: number): void {
    this.#left.add(speaker)
    for (const client of this.#spoken.get(speaker) ?? []) {
      const entry = this.#entries.get(client)
      if (entry?.name === 'present' && entry.owner === speaker) this.#depart(client, now)
    }
    this.#spoken.delete(speaker)
  }

  /** Drops collaborators not renewed in time although their socket lives, and forgets the long departed. */
  sweep(now: number): void {
    for (const [client, entry] of this.#entries) {
      if (entry.name === 'present' && now - entry.renewedAt >= this.#limits.presenceTimeoutMs) this.#depart(client, now)
      else if (entry.name === 'departed' && this.#mayForget(entry, now)) this.#forget(client)
    }
  }

  /** Everything that changed since the last call, latest state only, as one awareness update; null when nothing did. */
  takeChanges(): Uint8Array | null {
    if (this.#changed.size === 0) return null
    const states: PresenceState[] = []
    for (const client of this.#changed) {
      const entry = this.#entries.get(client)
      if (entry?.name === 'present') states.push({ client, clock: entry.clock, json: entry.json })
      else if (entry !== undefined) states.push({ client, clock: entry.clock, json: GONE })
    }
    this.#changed.clear()
    return encodeAwareness(states)
  }

  /** All who are present, as one awareness update; null when nobody is. */
  encodeAll(): Uint8Array | null {
    const states: PresenceState[] = []
    for (const [client, entry] of this.#entries) {
      if (entry.name === 'present') states.push({ client, clock: entry.clock, json: entry.json })
    }
    return states.length === 0 ? null : encodeAwareness(states)
  }

  #apply(voice: Voice, state: PresenceState): Outcome {
    const entry = this.#entries.get(state.client)
    if (entry?.name === 'present' && entry.owner !== voice.speaker) return this.#foreign(voice, entry, state)
    // Clocks end at 2^53 - 1, and a return has to be able to add one.
    if (state.clock >= Number.MAX_SAFE_INTEGER) return 'impossible'
    if (isGone(state.json)) return this.#goodbye(entry, state, voice.now)
    if (!isPresentable(state.json, this.#limits)) return 'impossible'
    const clock = this.#clockFor(voice, entry, state)
    if (clock === null || !this.#maySpeak(voice.speaker, state.client)) return 'ignored'
    this.#set(voice, state, clock)
    return 'applied'
  }

  /** A state about a client that somebody else speaks for. Only its returning owner has a case, and has to prove it. */
  #foreign(voice: Voice, entry: Present, state: PresenceState): Outcome {
    const { speaker, alone } = voice
    const claims = alone && !this.#spoken.has(speaker) && !this.#disputed.has(speaker) && !isGone(state.json)
    if (!claims || state.clock >= Number.MAX_SAFE_INTEGER || !isPresentable(state.json, this.#limits)) return 'ignored'
    this.#disputed.add(speaker)
    const claimed = { ...state, json: state.json.slice() }
    void entry.owner.challenge().then((alive) => {
      // A dead owner has left by now, through its closed socket: what it spoke for is departed, and the claim stands.
      if (!alive && !this.#left.has(speaker)) this.#apply(voice, claimed)
    })
    return 'ignored'
  }

  #goodbye(entry: Present | Departed | undefined, state: PresenceState, now: number): Outcome {
    if (entry?.name !== 'present' || state.clock < entry.ownerClock) return 'ignored'
    this.#entries.set(state.client, { ...entry, clock: Math.max(entry.clock, state.clock) })
    this.#depart(state.client, now)
    return 'applied'
  }

  /**
   * The clock under which the room is to see this state; null: not at all.
   *
   * A client that comes back announces itself with the clock its peers already know, and they would drop it until its
   * next renewal, up to 16 s later. So a session's first word, alone in its frame and with a used clock, is raised by
   * one, for the owner too, who adopts it. Until it has, its own clock may lag behind the room's: then what counts is
   * whether the owner itself moved on.
   */
  #clockFor({ speaker, alone }: Voice, entry: Present | Departed | undefined, state: PresenceState): number | null {
    if (entry?.name === 'present') {
      return state.clock > entry.ownerClock ? Math.max(state.clock, entry.clock + 1) : null
    }
    const known = entry?.clock ?? 0
    const returns = alone && !this.#spoken.has(speaker) && state.clock > 0
    if (returns) return Math.max(state.clock, known) + 1
    return state.clock > known ? state.clock : null
  }

  #maySpeak(speaker: Speaker, client: number): boolean {
    const spoken = this.#spoken.get(speaker)
    return spoken === undefined || spoken.has(client) || spoken.size < this.#limits.maxPresencesPerSession
  }

  #set({ speaker, now }: Voice, state: PresenceState, clock: number): void {
    const before = this.#entries.get(state.client)
    if (before?.name === 'present') this.#bytes -= before.json.length
    else if (before !== undefined) this.#departedCount -= 1
    const json = state.json.slice() // the frame it is a view on may be large, and this is kept
    this.#bytes += json.length
    this.#entries.set(state.client, {
      name: 'present',
      owner: speaker,
      clock,
      ownerClock: state.clock,
      json,
      renewedAt: now,
    })
    const spoken = this.#spoken.get(speaker)
    if (spoken === undefined) this.#spoken.set(speaker, new Set([state.client]))
    else spoken.add(state.client)
    this.#mark(state.client)
  }

  #depart(client: number, now: number): void {
    const entry = this.#entries.get(client)
    if (entry?.name !== 'present') return
    this.#bytes -= entry.json.length
    // Deleted first, so that departed clients stay in order of departure and the oldest are forgotten first.
    this.#entries.delete(client)
    this.#entries.set(client, { name: 'departed', clock: entry.clock, since: now })
    this.#departedCount += 1
    this.#mark(client)
  }

  #mark(client: number): void {
    this.#changed.add(client)
    this.#onChange()
  }

  #mayForget(entry: Departed, now: number): boolean {
    return now - entry.since >= FORGET_AFTER_MS || this.#departedCount > MAX_DEPARTED
  }

  #forget(client: number): void {
    this.#entries.delete(client)
    this.#departedCount -= 1
  }
}
