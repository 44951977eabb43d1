import type { Awareness } from 'y-protocols/awareness'
import { removeAwarenessStates } from 'y-protocols/awareness'
import type { ClientClock } from './environment.ts'
import { later } from './later.ts'
import { attempt } from './report.ts'
import { presence } from './wire.ts'

interface Changes {
  readonly added: readonly number[]
  readonly updated: readonly number[]
  readonly removed: readonly number[]
}

export interface PresenceOptions {
  readonly awareness: Awareness
  /** Marks what came from others, in the events of `awareness`. */
  readonly origin: object
  readonly clock: ClientClock
  /** Milliseconds between two messages. */
  readonly throttle: number
  /** To the server and the other tabs. */
  readonly send: (message: Uint8Array) => void
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

  /** Null while we have none to tell of. */
  message(): Uint8Array | null {
    const { awareness } = this.#options
    return awareness.getLocalState() === null ? null : presence(awareness, [awareness.clientID])
  }

  everybody(): Uint8Array {
    const { awareness } = this.#options
    return presence(awareness, [...awareness.getStates().keys()])
  }

  /**
   * We are there, for the first time or again: then under the next clock, since others remember that we left at the one
   * before.
   *
   * @returns how to say so; null while there is nothing to tell of
   */
  arrive(isReturn: boolean): Uint8Array | null {
    const { awareness } = this.#options
    const state = awareness.getLocalState()
    if (isReturn && state !== null) attempt(() => awareness.setLocalState(state))
    this.#cancelSending() // whoever arrives says so itself
    this.#isAway = false
    return this.message()
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
    const { awareness, origin } = this.#options
    const others = [...awareness.getStates().keys()].filter((client) => client !== awareness.clientID)
    attempt(() => removeAwarenessStates(awareness, others, origin))
  }

  destroy(): void {
    this.#cancelSending()
    this.#options.awareness.off('update', this.#onUpdate)
  }

  readonly #onUpdate = ({ added, updated, removed }: Changes, from: unknown): void => {
    const { awareness, origin, clock, throttle } = this.#options
    const self = awareness.clientID
    const isRemoved = removed.includes(self)
    // Somebody said that we are gone; awareness has raised our clock and kept the state, which others must hear.
    const isWronged = isRemoved && !this.#isAway && awareness.getLocalState() !== null
    const isOurs = from !== origin && (isRemoved || added.includes(self) || updated.includes(self))
    if ((!isOurs && !isWronged) || this.#cancel !== null) return
    const wait = Math.max(0, this.#sentAt + throttle - clock.now())
    this.#cancel = later(clock, wait, this.#send)
  }

  readonly #send = (): void => {
    const { awareness, clock, send } = this.#options
    this.#cancel = null
    this.#sentAt = clock.now()
    if (awareness.meta.has(awareness.clientID)) send(presence(awareness, [awareness.clientID]))
  }

  #cancelSending(): void {
    this.#cancel?.()
    this.#cancel = null
  }
}
