import type { Awareness } from 'y-protocols/awareness'
import { removeAwarenessStates } from 'y-protocols/awareness'
import type { ClientClock } from './environment.ts'
import { later } from './later.ts'
import type { Neighbours } from './neighbours.ts'
import type { CompleteOptions } from './options.ts'
import { attempt } from './report.ts'
import type { Uploads } from './uploads.ts'
import { presence } from './wire.ts'

/** Milliseconds until a network that is slow is looked at again. */
const FULL_POLL_MS = 50

interface Changes {
  readonly added: readonly number[]
  readonly updated: readonly number[]
  readonly removed: readonly number[]
}

export interface PresenceOptions {
  readonly awareness: Awareness
  /** Marks what came from others, in the events of `awareness`. */
  readonly owner: object
  readonly clock: ClientClock
  /** `awarenessThrottle`: milliseconds between two messages. */
  readonly options: Pick<CompleteOptions, 'awarenessThrottle'>
  readonly uploads: Pick<Uploads, 'isFull'>
  readonly neighbours: Pick<Neighbours, 'tell'>
  /** To the server and the other tabs. */
  readonly say: (message: Uint8Array) => void
}

/** Our own presence, told to others at most every `throttle`; that of others is not ours to repeat. */
export class Presence {
  readonly #options: PresenceOptions
  #sentAt = -Infinity
  #cancel: (() => void) | null = null
  /** We have said goodbye: who says that we are gone is right. */
  #isAway = false

  constructor(options: PresenceOptions) {
    this.#options = options
    options.awareness.on('update', this.#onUpdate)
  }

  /** None while there is nothing to tell. */
  messages(): Uint8Array[] {
    const { awareness } = this.#options
    return this.#isSet ? [presence(awareness, [awareness.clientID])] : []
  }

  everybody(): Uint8Array {
    const { awareness } = this.#options
    return presence(awareness, [...awareness.states.keys()])
  }

  /**
   * We are there, for the first time or again: then under the next clock, since others remember that we left at the one
   * before. It is told within `wait` milliseconds, or with the next edits that leave.
   */
  arrive(isReturn: boolean, wait: number): void {
    const { awareness, clock } = this.#options
    const isSet = this.#isSet
    if (isReturn && isSet) attempt(() => awareness.setLocalState(awareness.getLocalState()))
    this.#cancelSending()
    this.#isAway = false
    this.#sentAt = -Infinity
    if (isSet) this.#cancel = later(clock, wait, this.#send)
  }

  /** That we leave, at the clock we have: a higher one would hide our return. */
  goodbye(): Uint8Array {
    const { awareness } = this.#options
    this.#cancelSending()
    this.#isAway = true
    return presence(awareness, [awareness.clientID], true)
  }

  /** Nobody is known to be there any more. */
  forgetOthers(): void {
    const { awareness, owner } = this.#options
    const others = [...awareness.states.keys()].filter((client) => client !== awareness.clientID)
    attempt(() => removeAwarenessStates(awareness, others, owner))
  }

  destroy(): void {
    this.#cancelSending()
    this.#options.awareness.off('update', this.#onUpdate)
  }

  /**
   * Adds what waits to be told to the messages that leave for the server with an edit: it costs nothing then, and the
   * cursor comes when its text does. Not so when the last was told less than half a throttle ago.
   */
  ride(messages: Uint8Array[]): void {
    const { clock, options, neighbours } = this.#options
    if (this.#cancel === null || clock.now() < this.#sentAt + options.awarenessThrottle / 2) return
    // An application may show what cannot be encoded: its edits leave all the same.
    attempt(() => {
      const own = this.#take()
      messages.push(own)
      neighbours.tell(own)
    })
  }

  readonly #onUpdate = ({ added, updated, removed }: Changes, from: unknown): void => {
    const { awareness, owner, clock, options } = this.#options
    const self = awareness.clientID
    // Somebody said that we are gone; awareness has raised our clock and kept the state, which others must hear.
    const isWronged = removed.includes(self) && !this.#isAway && awareness.getLocalState() !== null
    const isOurs = from !== owner && [...added, ...updated, ...removed].includes(self)
    if ((!isOurs && !isWronged) || this.#cancel !== null) return
    // At the end of the turn edits leave, and usually take it along: a timer that is not needed still wakes Node up.
    this.#cancel = later(clock, 0, () => {
      this.#cancel = later(clock, this.#sentAt + options.awarenessThrottle - clock.now(), this.#send)
    })
  }

  readonly #send = (): void => {
    const { clock, uploads, say } = this.#options
    // The edits that wait for the network would have to go before it, one frame each.
    if (uploads.isFull) this.#cancel = later(clock, FULL_POLL_MS, this.#send)
    else say(this.#take())
  }

  /** What nobody has set is at clock 0, which every receiver drops. */
  get #isSet(): boolean {
    const { awareness } = this.#options
    return awareness.getLocalState() !== null && awareness.meta.get(awareness.clientID)?.clock !== 0
  }

  #take(): Uint8Array {
    const { awareness, clock } = this.#options
    this.#cancelSending()
    this.#sentAt = clock.now()
    return presence(awareness, [awareness.clientID])
  }

  #cancelSending(): void {
    this.#cancel?.()
    this.#cancel = null
  }
}
