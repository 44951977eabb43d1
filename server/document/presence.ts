import { ProtocolViolationError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import { isGone, isPresentable } from './presenceJson.ts'

/** Milliseconds a departed client's clock is remembered, so that echoes of its last state do not bring it back. */
const FORGET_AFTER_MS = 60_000
/** Departed clients remembered per document; beyond that the oldest are forgotten. */
const MAX_DEPARTED = 1_000

/** Raised states remembered per entry. The newest suffices unless its owner went away without having adopted the last. */
const MAX_RAISED = 8

/**
 * Clocks above this are refused. A client adds one per change and never comes near; whoever says 2^53 - 1 for an id
 * would leave its owner, and us, no higher clock that receivers can decode.
 */
const MAX_CLOCK = 2 ** 52

/** The JSON that says so. */
const GONE = new Uint8Array([0x6e, 0x75, 0x6c, 0x6c])

/** Who speaks for client ids: a session. Presence needs to know nothing else about it. */
export interface Speaker {
  /** False when the socket is dead; asking closes a dead one (rule A5). */
  challenge(): Promise<boolean>
}

/** A state the room was told under a higher clock than its owner's, which the owner will therefore adopt and send back. */
interface Raised {
  readonly clock: number
  readonly json: Uint8Array
}

interface Present {
  readonly name: 'present'
  readonly owner: Speaker
  /** The clock the room knows. */
  readonly clock: number
  /** The clock last told to the whole room; `clock` is one ahead when somebody who came back was told alone. */
  readonly announced: number
  /** The last clock the owner itself used; behind `clock` after a return, until the owner adopts the higher one. */
  readonly ownerClock: number
  readonly json: Uint8Array
  /** Raised states that have not come back from the owner yet, oldest first. */
  readonly raised: readonly Raised[]
  readonly renewedAt: number
  /** When the room was last told of it, in the order of joining, telling and departing. */
  readonly turn: number
}

interface Departed {
  readonly name: 'departed'
  readonly clock: number
  readonly since: number
  /** When, in the same order. */
  readonly turn: number
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
  /**
   * The newest state a speaker has claimed for somebody else's id. One dispute each, so that echoes cause no storm of
   * pings.
   */
  readonly #disputed = new WeakMap<Speaker, PresenceState>()
  /** Ids in dispute: their owner may be dead, and its successor must not adopt what the dead one said. */
  readonly #contested = new Set<number>()
  readonly #left = new WeakSet<Speaker>()
  /** When each speaker joined, in the order of joining, telling and departing. */
  readonly #joined = new WeakMap<Speaker, number>()
  /** Speakers that have come back and have to be told again who is here. */
  readonly #returned = new WeakSet<Speaker>()
  readonly #changed = new Set<number>()
  readonly #onChange: () => void
  #turn = 0
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

  /** From now on the speaker may be told who is here, and may send that back. */
  join(speaker: Speaker): void {
    this.#joined.set(speaker, this.#nextTurn())
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

  /** True, once, when the speaker has come back since it was last told of everybody: it has not taken that in. */
  takeReturn(speaker: Speaker): boolean {
    return this.#returned.delete(speaker)
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
    if (state.clock > MAX_CLOCK) return 'impossible'
    if (isGone(state.json)) return this.#goodbye(entry, state, voice.now)
    if (entry?.name === 'present' && this.#adopts(entry, state, voice.now)) return 'applied'
    if (!isPresentable(state.json, this.#limits)) return 'impossible'
    return this.#speak(voice, entry, state)
  }

  #speak(voice: Voice, entry: Present | Departed | undefined, state: PresenceState): Outcome {
    if (!this.#maySpeak(voice.speaker, state.client)) return 'ignored'
    const clock = this.#clockFor(voice, entry, state)
    if (clock !== null) this.#set(voice, state, clock)
    // New here, with a state nobody shows (A1): its next one is no return, and needs not be raised.
    else if (state.clock === 0) this.#addSpoken(voice.speaker, state.client)
    return clock === null ? 'ignored' : 'applied'
  }

  /** A state about a client that somebody else speaks for. Only its returning owner has a case, and has to prove it. */
  #foreign(voice: Voice, entry: Present, state: PresenceState): Outcome {
    const { speaker, alone } = voice
    const disputed = this.#disputed.get(speaker)
    const claims =
      disputed === undefined ? alone && this.#mayReturn(speaker, entry) : this.#isNewer(state, disputed, entry)
    if (!claims || isGone(state.json) || state.clock >= Number.MAX_SAFE_INTEGER) return 'ignored'
    if (!isPresentable(state.json, this.#limits)) return 'ignored'
    this.#disputed.set(speaker, { ...state, json: state.json.slice() })
    if (disputed === undefined) this.#dispute(voice, state.client, entry.owner)
    return 'ignored'
  }

  /** Not so when it only sends back what the room is told of the dead owner. */
  #isNewer(state: PresenceState, disputed: PresenceState, entry: Present): boolean {
    if (state.client !== disputed.client || state.clock <= disputed.clock) return false
    return state.clock > entry.clock || Buffer.compare(state.json, entry.json) !== 0
  }

  #dispute(voice: Voice, client: number, owner: Speaker): void {
    this.#contested.add(client)
    void owner.challenge().then((alive) => {
      this.#contested.delete(client)
      const claimed = this.#disputed.get(voice.speaker)
      // A dead owner has left by now, through its closed socket: what it spoke for is departed, and the claim stands.
      if (!alive && claimed !== undefined && !this.#left.has(voice.speaker)) {
        // Should another claim have been faster, the next dispute is with that one's owner.
        this.#disputed.delete(voice.speaker)
        this.#joined.delete(voice.speaker)
        this.#apply(voice, claimed)
      }
    })
  }

  #goodbye(entry: Present | Departed | undefined, state: PresenceState, now: number): Outcome {
    if (entry?.name !== 'present' || state.clock < entry.ownerClock) return 'ignored'
    this.#entries.set(state.client, { ...entry, clock: Math.max(entry.clock, state.clock) })
    this.#depart(state.client, now)
    return 'applied'
  }

  /**
   * The owner has taken over the clock we gave its state, and says so, as clients send back all they are told. That is
   * no news for the room: told again under yet another clock, it would come back again, for ever.
   */
  #adopts(entry: Present, state: PresenceState, now: number): boolean {
    const { client, clock } = state
    if (clock <= entry.ownerClock) return false
    const isEcho = entry.raised.some(
      (raised) => raised.clock === clock && Buffer.compare(raised.json, state.json) === 0,
    )
    if (!isEcho) return false
    const raised = entry.raised.filter((other) => other.clock > clock)
    this.#entries.set(client, { ...entry, ownerClock: clock, raised, renewedAt: now })
    return true
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
    const returns = alone && state.clock > 0 && this.#mayReturn(speaker, entry)
    if (returns) return Math.max(state.clock, known) + 1
    return state.clock > known ? state.clock : null
  }

  /**
   * Whether what this speaker says of the client can be its own first word. Who was here when the room was told of the
   * client may send that back; who joined later knows of itself only, or is told of everybody.
   */
  #mayReturn(speaker: Speaker, entry: Present | Departed | undefined): boolean {
    return !this.#spoken.has(speaker) && (this.#joined.get(speaker) ?? Infinity) > (entry?.turn ?? 0)
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
      announced: clock,
      ownerClock: state.clock,
      json,
      raised: raisedStates(before, state.clock, { clock, json }),
      renewedAt: now,
      turn: this.#nextTurn(),
    })
    this.#addSpoken(speaker, state.client)
    this.#mark(state.client)
    if (before?.name === 'departed' && clock > state.clock) this.#welcomeBack(speaker, before.turn)
  }

  /**
   * Who lost its socket has dropped everybody else but kept their clocks, and takes nobody in again under a clock it
   * knows. So all that it may know is raised by one: for it alone, as nobody else would notice, and their owners go on
   * as after a return of their own. Bounded until the owner is heard again: an owner far behind the room could adopt a
   * state older than its own, and somebody who comes and goes all the time would cost the room a frame each time.
   */
  #welcomeBack(speaker: Speaker, leftAt: number): void {
    this.#returned.add(speaker)
    for (const [client, entry] of this.#entries) {
      if (entry.name !== 'present' || entry.owner === speaker || entry.turn > leftAt) continue
      if (!this.#contested.has(client)) this.#raise(client, entry)
    }
  }

  #raise(client: number, entry: Present): void {
    const clock = entry.clock + 1
    if (entry.clock === entry.ownerClock) this.#entries.set(client, { ...entry, clock })
    // Raised for the whole room before, and perhaps adopted: the owner has to hear of the second time at once.
    else if (entry.clock === entry.ownerClock + 1 && entry.clock === entry.announced) {
      const raised = [...entry.raised, { clock, json: entry.json }].slice(-MAX_RAISED)
      this.#entries.set(client, { ...entry, clock, announced: clock, raised })
      this.#mark(client)
    }
  }

  #addSpoken(speaker: Speaker, client: number): void {
    const spoken = this.#spoken.get(speaker)
    if (spoken === undefined) this.#spoken.set(speaker, new Set([client]))
    else spoken.add(client)
  }

  #nextTurn(): number {
    this.#turn += 1
    return this.#turn
  }

  #depart(client: number, now: number): void {
    const entry = this.#entries.get(client)
    if (entry?.name !== 'present') return
    this.#bytes -= entry.json.length
    // Deleted first, so that departed clients stay in order of departure and the oldest are forgotten first.
    this.#entries.delete(client)
    this.#entries.set(client, { name: 'departed', clock: entry.clock, since: now, turn: this.#nextTurn() })
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

/** What the owner may send back after it has said something at `ownerClock` that the room is told as `told`. */
function raisedStates(before: Present | Departed | undefined, ownerClock: number, told: Raised): readonly Raised[] {
  if (told.clock === ownerClock) return []
  const earlier = before?.name === 'present' ? before.raised.filter((other) => other.clock > ownerClock) : []
  return [...earlier, told].slice(-MAX_RAISED)
}
