import { encodeUtf8 } from 'lib0/string'
import { InvalidNameError, LimitExceededError } from '../../shared/errors.ts'
import type { Limits } from '../../shared/limits.ts'
import { checkName } from '../../shared/names.ts'
import type { ClientMessage } from '../../shared/wire/messages.ts'
import { authenticated, permissionDenied, readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { encodeString } from '../../shared/wire/writer.ts'
import type { Link } from '../document/link.ts'
import type { Registry } from '../document/registry.ts'
import type { Session } from '../document/session.ts'
import type { Clock } from '../clock.ts'
import { createBudgets } from '../document/budgets.ts'
import type { Budgets } from '../document/budgets.ts'
import type { Observer } from '../observer.ts'
import type { Channel } from './channel.ts'

/** Frames of one byte, without an address: v4 providers' heartbeat. */
const PING = 9
const PONG = 10
const pong = new Uint8Array([PONG])
const noPrefix = new Uint8Array()

/** What stands between document name and session id in the address of a v4 provider with `sessionAwareness`. */
const SESSION_SEPARATOR = '\0'

function checkSession(id: string, maxBytes: number): void {
  if (encodeUtf8(id).length > maxBytes) throw new InvalidNameError(`session id longer than ${maxBytes} bytes`)
}

export interface HocuspocusOptions {
  readonly link: Link
  readonly registry: Registry
  readonly limits: Limits
  readonly clock: Clock
  readonly observer: Observer
}

/** Hocuspocus providers 2 to 4: many documents per socket, every frame begins with the address of one. */
export class HocuspocusChannel implements Channel {
  readonly #options: HocuspocusOptions
  readonly #sessions = new Map<string, Session>()
  readonly #budgets: Budgets

  constructor(options: HocuspocusOptions) {
    this.#options = options
    this.#budgets = createBudgets(options.limits, options.clock.now())
  }

  receive(frame: Uint8Array): void {
    if (frame.length === 1 && (frame[0] === PING || frame[0] === PONG)) return this.#heartbeat(frame[0])
    const reader = new Reader(frame)
    const address = reader.string()
    const message = readMessage(reader)
    // Auth may carry more than is known here (v4 adds its version); an unknown type may carry anything.
    if (message.type !== 'auth' && message.type !== 'ignored') reader.finish()
    this.#dispatch(address, message)
  }

  prefixOf(frame: Uint8Array): Uint8Array {
    return frame.length === 1 ? noPrefix : encodeString(new Reader(frame).string())
  }

  drained(): void {
    for (const session of this.#sessions.values()) session.drained()
  }

  /** Any frame of any document counts for the whole socket. */
  keepAlive(): void {
    for (const session of this.#sessions.values()) return session.keepAlive()
  }

  reassure(): void {
    for (const session of this.#sessions.values()) if (session.isWaitingForProof) session.keepAlive()
  }

  end(): void {
    for (const session of this.#sessions.values()) session.end()
    this.#sessions.clear()
  }

  #heartbeat(type: number): void {
    const { link } = this.#options
    if (type === PING) link.send(link.encode(noPrefix, pong))
  }

  #dispatch(address: string, message: ClientMessage): void {
    switch (message.type) {
      case 'ignored':
        return this.#options.observer.observe({ ...message, protocol: 'hocuspocus' })
      case 'close':
        return this.#detach(address)
      case 'auth':
        if (this.#attach(address) !== null) this.#reply(address, authenticated('read-write'))
        return
      case 'syncStep1':
      case 'syncStep2':
      case 'update':
      case 'awareness':
      case 'queryAwareness':
      case 'probe':
        this.#attach(address)?.receive(message)
    }
  }

  /** The session of this address, made by its first frame of whatever kind: v2 providers without token skip Auth. */
  #attach(address: string): Session | null {
    const session = this.#sessions.get(address)
    if (session !== undefined) return session
    const { link, registry, limits } = this.#options
    if (this.#sessions.size >= limits.maxDocumentsPerConnection) {
      throw new LimitExceededError(
        'maxDocumentsPerConnection',
        `more than ${this.#sessions.size} documents on one socket`,
      )
    }
    const name = this.#nameOf(address)
    if (name === null) return null
    this.#checkCrowd(name)
    const dialect = { protocol: 'hocuspocus', key: address, prefix: encodeString(address), acknowledges: true } as const
    const attached = registry.open(name).join({ link, dialect, budgets: this.#budgets })
    this.#sessions.set(address, attached)
    return attached
  }

  #checkCrowd(name: string): void {
    const { maxSessionsPerDocument } = this.#options.limits
    const prefix = `${name}${SESSION_SEPARATOR}`
    let count = 0
    for (const address of this.#sessions.keys()) if (address === name || address.startsWith(prefix)) count += 1
    if (count < maxSessionsPerDocument) return
    throw new LimitExceededError('maxSessionsPerDocument', `more than ${count} sessions of one document on one socket`)
  }

  /** Null, and the client told, when the address names no document; the socket and its other documents go on. */
  #nameOf(address: string): string | null {
    const end = address.indexOf(SESSION_SEPARATOR)
    try {
      const { maxNameBytes } = this.#options.limits
      // The session id stands before every frame we send, and one frame is made per id.
      if (end !== -1) checkSession(address.slice(end + 1), maxNameBytes)
      return checkName(end === -1 ? address : address.slice(0, end), maxNameBytes)
    } catch (error) {
      if (!(error instanceof InvalidNameError)) throw error
      this.#reply(address, permissionDenied(error.message))
      return null
    }
  }

  #detach(address: string): void {
    this.#sessions.get(address)?.end()
    this.#sessions.delete(address)
  }

  #reply(address: string, message: Uint8Array): void {
    const { link } = this.#options
    link.send(link.encode(encodeString(address), message))
  }
}
