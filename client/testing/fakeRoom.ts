import * as Y from 'yjs'
import { encodeAwareness, readAwareness } from '../../shared/wire/awareness.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import { awareness, syncStep1, syncStep2, syncUpdate } from '../../shared/wire/messages.ts'
import type { LinkEnd } from './linkPair.ts'

/** One connection, as its room knows it. */
export interface Member {
  readonly end: LinkEnd
  /** Whether it asked who the server is, and has not been answered. */
  wantsHello: boolean
  /** Whether it has sent an update that is counted: from then on its own words do not come back. */
  counts: boolean
  /** Whether it has been told the state: before, updates would only be kept pending. */
  isTold: boolean
  /** Client ids it has spoken for: gone when it is gone. */
  readonly clients: Set<number>
}

const GONE = new TextEncoder().encode('null')

/** One document of a fake server: what is saved of it, and who is there. */
export class FakeRoom {
  /** What is saved. */
  readonly doc = new Y.Doc()
  readonly members = new Set<Member>()
  readonly #presence = new Map<number, PresenceState>()

  /** Answers SyncStep1 as the real server does: a question of its own first, so that offline edits come. */
  join(member: Member, stateVector: Uint8Array): void {
    member.end.send(syncStep1(Y.encodeStateVector(this.doc)))
    member.end.send(syncStep2(Y.encodeStateAsUpdate(this.doc, stateVector)))
    if (!member.isTold) this.tellPresence(member)
    member.isTold = true
  }

  /** Saves an update and relays it to everybody, the author included unless it counts. */
  apply(update: Uint8Array, author: Member): void {
    Y.applyUpdate(this.doc, update)
    const message = syncUpdate(update)
    for (const member of this.members) if (member.isTold && !isSpared(member, author)) member.end.send(message)
  }

  /** @throws MalformedFrameError */
  heed(member: Member, states: Uint8Array): void {
    for (const state of readAwareness(states)) {
      const known = this.#presence.get(state.client)
      if (known !== undefined && state.clock <= known.clock) continue
      // The link handed over a copy of its own, so views on it may be kept.
      this.#presence.set(state.client, state)
      member.clients.add(state.client)
    }
    const message = awareness(states)
    for (const other of this.members) if (!isSpared(other, member)) other.end.send(message)
  }

  tellPresence(member: Member): void {
    const present = [...this.#presence.values()].filter(({ json }) => !isGone(json))
    if (present.length > 0) member.end.send(awareness(encodeAwareness(present)))
  }

  /** Removes who it spoke for at the same clock, not at a higher one, or they could not come back. */
  leave(member: Member): void {
    if (!this.members.delete(member)) return
    const gone: PresenceState[] = []
    for (const client of member.clients) {
      const state = this.#presence.get(client)
      this.#presence.delete(client)
      const hasMoved = [...this.members].some((other) => other.clients.has(client))
      if (state === undefined || isGone(state.json)) continue
      if (hasMoved) this.#presence.set(client, state)
      else gone.push({ ...state, json: GONE })
    }
    if (gone.length === 0) return
    const message = awareness(encodeAwareness(gone))
    for (const other of this.members) other.end.send(message)
  }

  /** As after a restart: nobody is here, and nobody is remembered. */
  forgetMembers(): void {
    this.members.clear()
    this.#presence.clear()
  }
}

function isSpared(member: Member, author: Member): boolean {
  return member === author && member.counts
}

function isGone(json: Uint8Array): boolean {
  return json.length === GONE.length && json.every((byte, index) => byte === GONE[index])
}
