import { ProtocolViolationError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import type { Entry, Present, Speaker } from './presenceEntry.ts'
import { adopted, MAX_CLOCK, raisedOnce, raisedStates } from './presenceEntry.ts'
import { isGone, isPresentable, textOf } from './presenceJson.ts'
import type { PresenceChanges } from './presenceTable.ts'
import { isOurs, PresenceTable } from './presenceTable.ts'
import { RemotePresence } from './remotePresence.ts'
import { Voice } from './voice.ts'

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
 * visible at once. Rules A1 to A9 of SPEC.md; what other nodes say comes in by `remote`. Holds raw JSON, parses it once
 * to check it, never keeps the objects.
 */
export class Presence {
  /** The clients that are connected to other nodes. */
  readonly remote: RemotePresence
  readonly #limits: Limits
  readonly #table: PresenceTable
  readonly #voices = new Map<Speaker, Voice>()
  /** Ids in dispute: their owner may be dead, and its successor must not adopt what the dead one said. */
  #contested: readonly number[] = []

  /** @param onChange called whenever there is something for `takeChanges` to take; cheap and idempotent */
  constructor(limits: Limits, onChange: () => void) {
    this.#limits = limits
    this.#table = new PresenceTable(onChange)
    this.remote = new RemotePresence(this.#table, limits)
  }

  /** True when something has changed since the last `takeChanges`. */
  get changed(): boolean {
    return this.#table.changed
  }

  /** From now on the speaker may be told who is here, and may send that back. */
  join(speaker: Speaker): void {
    this.#voices.set(speaker, new Voice(this.#table.nextTurn()))
  }

  /** Takes one frame's states; throws when the frame is larger than even an echo of the whole room can be. */
  receive(speaker: Speaker, states: readonly PresenceState[], bytes: number, now: number): 'fine' | 'strike' {
    if (bytes > this.#limits.maxAwarenessBytes + 2 * this.#table.bytes)
      throw new ProtocolViolationError('presence too large')
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
      const entry = this.#table.get(client)
      if (entry?.name === 'present' && entry.owner === speaker) this.#table.depart(client, now)
    }
    this.#voices.delete(speaker)
  }

  /** Drops collaborators not renewed in time although their socket lives, and forgets the long departed. */
  sweep(now: number): void {
    this.#table.sweep(now, this.#limits.presenceTimeoutMs)
    this.remote.sweep(now)
  }

  /** Everything that changed since the last call, latest state only, as one awareness update; null when nothing did. */
  takeChanges(): PresenceChanges | null {
    return this.#table.takeChanges()
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
    return this.#table.encodeAll()
  }

  #apply(word: Word, state: PresenceState): Outcome {
    const entry = this.#table.get(state.client)
    if (entry?.name === 'present' && entry.owner !== word.speaker) return this.#foreign(word, entry, state)
    if (state.clock > MAX_CLOCK) return 'impossible'
    if (isGone(state.json)) return this.#goodbye(entry, state, word.now)
    if (entry?.name === 'present' && this.#adopts(entry, state, word.now)) return 'applied'
    if (!isPresentable(state.json, this.#limits)) return 'impossible'
    return this.#speak(word, entry, state)
  }

  #adopts(entry: Present, state: PresenceState, now: number): boolean {
    // Most entries have nothing raised: then the text need not even be read.
    const after = entry.raised.length === 0 ? null : adopted(entry, state.clock, textOf(state.json), now)
    if (after !== null) this.#table.amend(state.client, after)
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
    void owner.challenge(client, now).then((alive) => {
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
    this.#table.depart(state.client, now, state.clock)
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

  #set(word: Word, state: PresenceState, clock: number): void {
    const { speaker, voice, now } = word
    const before = this.#table.get(state.client)
    const json = textOf(state.json)
    this.#table.hold(state.client, {
      name: 'present',
      owner: speaker,
      clock,
      announced: clock,
      ownerClock: state.clock,
      json,
      raised: raisedStates(before, state.clock, { clock, json }),
      renewedAt: now,
      turn: this.#table.nextTurn(),
    })
    voice.add(state.client)
    if (clock === state.clock) return
    if (before === undefined) {
      if (this.remote.newcomer(now)) this.#welcomeBack(word, (entry) => !isOurs(entry))
    } else if (before.name === 'departed') this.#welcomeBack(word, ({ turn }) => turn <= before.turn)
  }

  /**
   * Who lost its socket has dropped everybody else but kept their clocks, and takes nobody in again under a clock it
   * knows. So all that it may know is raised by one: for it alone, as nobody else would notice, and their owners go on
   * as after a return of their own.
   */
  #welcomeBack({ speaker, voice }: Word, mayKnow: (entry: Present) => boolean): void {
    for (const [client, entry] of this.#table) {
      if (entry.name !== 'present' || entry.owner === speaker || !mayKnow(entry)) continue
      voice.returned = true
      const raised = this.#contested.includes(client) ? null : raisedOnce(entry)
      if (raised === null) continue
      this.#table.amend(client, raised.entry)
      this.#table.markRaised(client)
      if (raised.tell) this.#table.mark(client)
    }
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
  return state.clock > entry.clock || textOf(state.json) !== entry.json
}
