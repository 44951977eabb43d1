import type * as Y from 'yjs'
import { CloseCode, closeReason } from '../../shared/closeCodes.ts'
import { nameFromUrl } from '../../shared/names.ts'
import { Feature, hello, wantsHello } from '../../shared/wire/hello.ts'
import type { ClientMessage } from '../../shared/wire/messages.ts'
import { confirmation, permissionDeniedYWebsocket, probeAnswer, readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import type { Acceptor } from './fakeNetwork.ts'
import { FakeRoom } from './fakeRoom.ts'
import type { Member } from './fakeRoom.ts'
import type { LinkEnd } from './linkPair.ts'

/**
 * What the server says beside Yjs' own protocol. `scriptorium`: it introduces itself to clients that ask for it, says
 * what is saved and answers probes, and spares them their own words; `y-websocket`: it does none of that, as every other
 * server of that protocol.
 */
export type Dialect = 'scriptorium' | 'y-websocket'

/**
 * A Yjs server in memory, on the far side of any number of networks. It speaks the y-websocket protocol, keeps documents as
 * long as it exists, and does on command what real servers do at the worst moment.
 */
export class FakeServer implements Acceptor {
  readonly #dialect: Dialect
  readonly #rooms = new Map<string, FakeRoom>()
  readonly #denied = new Map<string, string>()
  readonly #ends = new Set<LinkEnd>()
  /** What waits for storage; null: storage works. Not bounded: whoever holds storage decides for how long. */
  #held: (() => void)[] | null = null

  constructor({ dialect = 'scriptorium' }: { readonly dialect?: Dialect } = {}) {
    this.#dialect = dialect
  }

  /** Connections that are open as the server sees it, dead ones that nobody told it of included. */
  get connections(): number {
    return this.#ends.size
  }

  /** What is saved of a document; empty when nothing ever was. To be read, not written. */
  document(name: string): Y.Doc {
    return this.#room(name).doc
  }

  /** From now on nothing is saved: no edit is relayed or acknowledged, no newcomer is told the state. Presence goes on. */
  hold(): void {
    this.#held ??= []
  }

  /** What has waited is saved, relayed and acknowledged, in order. */
  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const job of held) job()
  }

  /** As `kill -9` and a restart: what was held is gone, and so is every connection. What was saved is there. */
  crash(): void {
    this.#held = null
    for (const end of this.#ends) end.destroy()
    for (const room of this.#rooms.values()) room.forgetMembers()
    this.#ends.clear()
  }

  /** An orderly restart: everybody is told to come back (1012). */
  restart(): void {
    for (const end of this.#ends) end.close(CloseCode.restarting, 'restarting')
  }

  /** Whoever opens this document from now on, or has it open, is refused for good: denied, and closed 4400. */
  deny(name: string, reason = 'denied'): void {
    this.#denied.set(name, reason)
    const room = this.#room(name)
    for (const member of room.members) {
      room.leave(member)
      refuse(member.end, reason)
    }
  }

  accept(end: LinkEnd, url: URL): void {
    const name = nameFromUrl(url.pathname)
    const reason = this.#denied.get(name)
    const isAsked = this.#dialect === 'scriptorium' && wantsHello(url.search)
    const member: Member = { end, wantsHello: isAsked, counts: false, isTold: false, clients: new Set() }
    const room = this.#room(name)
    this.#ends.add(end)
    end.listener = {
      onMessage: (message) => this.#receive(room, member, message),
      onClose: () => {
        this.#ends.delete(end)
        room.leave(member)
      },
    }
    if (reason === undefined) room.members.add(member)
    else refuse(end, reason)
  }

  #room(name: string): FakeRoom {
    const known = this.#rooms.get(name)
    if (known !== undefined) return known
    const room = new FakeRoom()
    this.#rooms.set(name, room)
    return room
  }

  #receive(room: FakeRoom, member: Member, message: Uint8Array): void {
    if (!room.members.has(member)) return
    if (member.wantsHello) member.end.send(hello(Feature.durable))
    member.wantsHello = false
    attempt(member, () => {
      const reader = new Reader(message)
      while (reader.remaining > 0) this.#take(room, member, reader)
    })
  }
  /** @throws MalformedFrameError, ProtocolViolationError */
  #take(room: FakeRoom, member: Member, reader: Reader): void {
    const message = readMessage(reader)
    switch (message.type) {
      case 'syncStep1':
        return this.#save(member, () => room.join(member, message.stateVector))
      case 'syncStep2':
      case 'update':
        return this.#store(room, member, message)
      case 'probe':
        if (this.#dialect === 'scriptorium') this.#save(member, () => member.end.send(probeAnswer(message.payload)))
        return
      case 'awareness':
        return room.heed(member, message.states)
      case 'queryAwareness':
        return room.tellPresence(member)
      case 'auth':
      case 'close':
      case 'ignored':
    }
  }

  #store(room: FakeRoom, member: Member, message: Extract<ClientMessage, { readonly update: Uint8Array }>): void {
    const isCounted = message.type === 'update' && message.isCounted
    member.counts ||= isCounted
    this.#save(member, () => {
      room.apply(message.update, member)
      if (isCounted) member.end.send(confirmation(1))
    })
  }

  /** Runs a job that needs storage: now, or after all that waits for it already. */
  #save(member: Member, job: () => void): void {
    if (this.#held === null) job()
    else this.#held.push(() => attempt(member, job))
  }
}

/** Whoever sends what cannot be decoded, or what Yjs cannot apply, loses its connection. */
function attempt(member: Member, job: () => void): void {
  try {
    job()
  } catch (error) {
    member.end.close(CloseCode.malformed, closeReason(String(error)))
  }
}

/** As the real server: told why, then closed with a code that is final. */
function refuse(end: LinkEnd, reason: string): void {
  end.send(permissionDeniedYWebsocket(reason))
  end.close(CloseCode.invalidName, closeReason(reason))
}
