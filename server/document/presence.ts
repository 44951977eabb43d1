import { ProtocolViolationError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import type { Departed, Entry, Present, Speaker } from './presenceEntry.ts'
import { adopted, raisedOnce, raisedStates } from './presenceEntry.ts'
import { isGone, isPresentable } from './presenceJson.ts'
import { Voice } from './voice.ts'

/** Milliseconds a departed client's clock is remembered, so that echoes of its last state do not bring it back. */
const FORGET_AFTER_MS = 60_000
/** Departed clients remembered per document; beyond that the oldest are forgotten. */
const MAX_DEPARTED = 1_000

/**
 * Clocks above this are refused. A client adds one per change and never comes near; whoever says 2^53 - 1 for an id
 * would leave its owner, and us, no higher clock that receivers can decode.
 */
const MAX_CLOCK = 2 ** 52

/** The JSON that says so. */
const GONE = Buffer.from('null')

/** Who said something, and how. */
interface Word {
  readonly speaker: Speaker
  readonly voice: Voice
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
  readonly #entries = new Map<number, Entry>()
  readonly #voices = new Map<Speaker, Voice>()
  /** Ids in dispute: their owner may be dead, and its successor must not adopt what the dead one said. */
  #contested: readonly number[] = []
  /** Ids to be told of; null when there are none, as in most documents most of the time. */
  #changed: Set<number> | null = null
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
    return this.#changed !== null
  }

  /** From now on the speaker may be told who is here, and may send that back. */
  join(speaker: Speaker): void {
    this.#voices.set(speaker, new Voice(this.#nextTurn()))
  }

  /** Takes one frame's states; throws when the frame is larger than even an echo of the whole room can be. */
  receive(speaker: Speaker, states: readonly PresenceState[], bytes: number, now: number): 'fine' | 'strike' {
    if (bytes > this.#limits.maxAwarenessBytes + 2 * this.#bytes) throw new ProtocolViolationError('presence too large')
    const voice = this.#voices.get(speaker)
    if (voice === undefined) return 'fine'
    const word: Word = { speaker, voice, alone: states.length === 1, now }
    let verdict: 'fine' | 'strike' = 'fine'
    for (const state of states) {
      if (this.#apply(word, state) === 'impossible') verdict = 'strike'
    }
    return verdict
  }

  /** The speaker is gone, and so are all it spoke for. The clock is not raised, or they could not return (A4). */
  leave(speaker: Speaker, now: number): void {
    for (const client of this.#voices.get(speaker)?.clients ?? []) {
      const entry = this.#entries.get(client)
      if (entry?.name === 'present' && entry.owner === speaker) this.#depart(client, now)
    }
    this.#voices.delete(speaker)
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
    if (this.#changed === null) return null
    const states: PresenceState[] = []
    for (const client of this.#changed) {
      const entry = this.#entries.get(client)
      if (entry?.name === 'present') states.push({ client, clock: entry.clock, json: Buffer.from(entry.json) })
      else if (entry !== undefined) states.push({ client, clock: entry.clock, json: GONE })
    }
    this.#changed = null
    return encodeAwareness(states)
  }

  /** True, once, when the speaker has come back since it was last told of everybody: it has not taken that in. */
  takeReturn(speaker: Speaker): boolean {
    const voice = this.#voices.get(speaker)
    if (voice === undefined || !voice.returned) return false
    voice.returned = false
    return true
  }

  /** All who are present, as one awareness update; null when nobody is. */
  encodeAll(): Uint8Array | null {
    const states: PresenceState[] = []
    for (const [client, entry] of this.#entries) {
      if (entry.name === 'present') states.push({ client, clock: entry.clock, json: Buffer.from(entry.json) })
    }
    return states.length === 0 ? null : encodeAwareness(states)
  }

  #apply(word: Word, state: PresenceState): Outcome {
    const entry = this.#entries.get(state.client)
    if (entry?.name === 'present' && entry.owner !== word.speaker) return this.#foreign(word, entry, state)
    if (state.clock > MAX_CLOCK) return 'impossible'
    if (isGone(state.json)) return this.#goodbye(entry, state, word.now)
    if (entry?.name === 'present' && this.#adopts(entry, state, word.now)) return 'applied'
    if (!isPresentable(state.json, this.#limits)) return 'impossible'
    return this.#speak(word, entry, state)
  }

  #adopts(entry: Present, state: PresenceState, now: number): boolean {
    // Most entries have nothing raised: then the text need not even be read.
    const after = entry.raised.length === 0 ? null : adopted(entry, state.clock, textOf(state), now)
    if (after !== null) this.#entries.set(state.client, after)
    return after !== null
  }

  #speak(word: Word, entry: Entry | undefined, state: PresenceState): Outcome {
    if (!this.#maySpeak(word.voice, state.client)) return 'ignored'
    const clock = this.#clockFor(word, entry, state)
    if (clock !== null) this.#set(word, state, clock)
    // New here, with a state nobody shows (A1): its next one is no return, and needs not be raised.
    else if (state.clock === 0) word.voice.add(state.client)
    return clock === null ? 'ignored' : 'applied'
  }

  /** A state about a client that somebody else speaks for. Only its returning owner has a case, and has to prove it. */
  #foreign(word: Word, entry: Present, state: PresenceState): Outcome {
    const { voice, alone } = word
    const { claim } = voice
    const claims = claim === null ? alone && mayReturn(voice, entry) : isNewer(state, claim, entry)
    if (!claims || isGone(state.json) || state.clock > MAX_CLOCK) return 'ignored'
    if (!isPresentable(state.json, this.#limits)) return 'ignored'
    voice.claim = { ...state, json: Buffer.from(state.json) }
    if (claim === null) this.#dispute(word, state.client, entry.owner)
    return 'ignored'
  }

  #dispute({ speaker, voice, now }: Word, client: number, owner: Speaker): void {
    this.#contested = [...this.#contested, client]
    void owner.challenge().then((alive) => {
      this.#contested = this.#contested.filter((other) => other !== client)
      const { claim } = voice
      // A dead owner has left by now, through its closed socket: what it spoke for is departed, and the claim stands.
      if (alive || claim === null || this.#voices.get(speaker) !== voice) return
      // Should another claim have been faster, the next dispute is with that one's owner.
      voice.claim = null
      voice.joined = Infinity
      this.#apply({ speaker, voice, alone: true, now }, claim)
    })
  }

  #goodbye(entry: Entry | undefined, state: PresenceState, now: number): Outcome {
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
  #clockFor({ voice, alone }: Word, entry: Entry | undefined, state: PresenceState): number | null {
    if (entry?.name === 'present') {
      return state.clock > entry.ownerClock ? Math.max(state.clock, entry.clock + 1) : null
    }
    const known = entry?.clock ?? 0
    const returns = alone && state.clock > 0 && mayReturn(voice, entry)
    if (returns) return Math.max(state.clock, known) + 1
    return state.clock > known ? state.clock : null
  }

  #maySpeak({ clients }: Voice, client: number): boolean {
    return clients.length < this.#limits.maxPresencesPerSession || clients.includes(client)
  }

  #set({ speaker, voice, now }: Word, state: PresenceState, clock: number): void {
    const before = this.#entries.get(state.client)
    if (before?.name === 'present') this.#bytes -= before.json.length
    else if (before !== undefined) this.#departedCount -= 1
    const json = textOf(state)
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
    voice.add(state.client)
    this.#mark(state.client)
    if (before?.name === 'departed' && clock > state.clock) this.#welcomeBack(speaker, voice, before.turn)
  }

  /**
   * Who lost its socket has dropped everybody else but kept their clocks, and takes nobody in again under a clock it
   * knows. So all that it may know is raised by one: for it alone, as nobody else would notice, and their owners go on
   * as after a return of their own.
   */
  #welcomeBack(speaker: Speaker, voice: Voice, leftAt: number): void {
    voice.returned = true
    for (const [client, entry] of this.#entries) {
      if (entry.name !== 'present' || entry.owner === speaker || entry.turn > leftAt) continue
      const raised = this.#contested.includes(client) ? null : raisedOnce(entry)
      if (raised !== null) this.#entries.set(client, raised.entry)
      if (raised?.tell === true) this.#mark(client)
    }
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
    this.#changed ??= new Set()
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

/**
 * Whether what this speaker says of the client can be its own first word. Who was here when the room was told of the
 * client may send that back; who joined later knows of itself only, or is told of everybody.
 */
function mayReturn(voice: Voice, entry: Entry | undefined): boolean {
  return voice.clients.length === 0 && voice.joined > (entry?.turn ?? 0)
}

/** Not so when the claimant only sends back what the room is told of the dead owner. */
function isNewer(state: PresenceState, claim: PresenceState, entry: Present): boolean {
  if (state.client !== claim.client || state.clock <= claim.clock) return false
  return state.clock > entry.clock || textOf(state) !== entry.json
}

/** A copy: the bytes are a view on a frame, which may be large, and this is kept. */
function textOf(state: PresenceState): string {
  return Buffer.from(state.json.buffer, state.json.byteOffset, state.json.length).toString()
}
