import * as Y from 'yjs'
import { EMPTY_UPDATE, syncStep2, syncUpdate } from '../../shared/wire/messages.ts'
import { Broadcast } from './broadcast.ts'

/** Answers to other than empty state vectors kept per version: clients that reconnect together know the same. */
const MAX_CACHED = 16
/** Updates that are sent one by one before the snapshot they build on. */
const MAX_PIECES = 8
const EMPTY_ANSWER = syncStep2(EMPTY_UPDATE)

/** What a client lacks: updates, and one SyncStep2 that has to come last: clients are synced when they have that. */
export interface Answer {
  readonly updates: readonly Broadcast[]
  readonly step2: Broadcast
}

/** The document that is asked. */
export interface Answering {
  /** The snapshot's state, and what has been committed since. */
  readonly stored: { readonly state: Uint8Array; readonly tail: readonly Uint8Array[] }
  /** Whether the bytes of snapshot and tail must not, or need not, be sent as they are. */
  readonly prefersDoc: 'always' | 'for differences' | 'never'
  /** One update with everything that a client which knows `stateVector` lacks; without one: everything there is. */
  encode(stateVector?: Uint8Array): Uint8Array
}

/** What joiners are sent, encoded once for all who know the same. */
export class Answers {
  readonly #document: Answering
  #whole: { updates: Broadcast[]; readonly step2: Broadcast } | null = null
  #differences: Map<string, Answer> | null = null

  constructor(document: Answering) {
    this.#document = document
  }

  /** Something more is committed. */
  grew(broadcast: Broadcast): void {
    this.#differences = null
    this.#whole?.updates.push(broadcast)
  }

  /** There is another snapshot. */
  forget(): void {
    this.#differences = null
    this.#whole = null
  }

  whole(): Answer {
    if (this.#document.prefersDoc === 'always') return single(this.#document.encode())
    const { state, tail } = this.#document.stored
    // Not worth keeping: most of what idles here is documents nobody has written in yet.
    if (tail.length === 0 && state === EMPTY_UPDATE) return { updates: [], step2: new Broadcast(EMPTY_ANSWER) }
    this.#whole ??= {
      updates: tail.map((update) => new Broadcast(syncUpdate(update))),
      step2: new Broadcast(syncStep2(state)),
    }
    // The client keeps what builds on the snapshot until that comes, and each piece costs it another merge.
    if (this.#whole.updates.length > MAX_PIECES && state !== EMPTY_UPDATE) {
      this.#whole.updates = [new Broadcast(syncUpdate(Y.mergeUpdates([...tail])))]
    }
    return this.#whole
  }

  /** @param check called before anything is computed; throws when the state vector is not one */
  difference(stateVector: Uint8Array, check: () => void): Answer {
    const key = Buffer.from(stateVector.buffer, stateVector.byteOffset, stateVector.length).toString('latin1')
    const cached = this.#differences?.get(key)
    if (cached !== undefined) return cached
    check()
    const answer = this.#difference(stateVector)
    if (this.#differences === null || this.#differences.size >= MAX_CACHED) this.#differences = new Map()
    this.#differences.set(key, answer)
    return answer
  }

  #difference(stateVector: Uint8Array): Answer {
    const { prefersDoc, stored } = this.#document
    if (prefersDoc !== 'never') return single(this.#document.encode(stateVector))
    return { ...this.whole(), step2: new Broadcast(syncStep2(Y.diffUpdate(stored.state, stateVector))) }
  }
}

function single(update: Uint8Array): Answer {
  return { updates: [], step2: new Broadcast(syncStep2(update)) }
}
