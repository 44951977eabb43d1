// oxlint-disable unicorn/prefer-add-event-listener -- properties are what all polyfills have, and can be taken away as one
import type { Decoder } from 'lib0/decoding'
import { createDecoder, readVarString } from 'lib0/decoding'
import { HELLO_TYPE } from '../shared/wire/hello.ts'
import { discard } from './discard.ts'
import type { Environment, SocketLike } from './environment.ts'
import type { Tokens } from './tokens.ts'
import * as wire from './wire.ts'

const closeMessage = new Uint8Array([wire.messageClose])

/** What stands between the document's name and what tells its sessions on one socket apart. */
const SESSION_SEPARATOR = '\0'
/** Frames of one byte, without an address: the heartbeat of Hocuspocus servers. */
const PING = 9
const PONG = new Uint8Array([10])
/** In a message of type Auth: the token is wanted again, access is denied. */
const TOKEN_WANTED = 0
const DENIED = 1
/** Close codes of sockets that would have been closed: as wished, without a word, and because access is denied. */
const NORMAL = 1000
const ABNORMAL = 1006
const FORBIDDEN = 4403
/** A message of no bytes: something was heard, though not for this document. */
const SIGN_OF_LIFE = new ArrayBuffer(0)
/** A number without an end, which nobody can read. */
const MALFORMED = new Uint8Array([0x80]).buffer

/** Whom a part of the socket is for. */
interface Part {
  readonly url: string
  readonly owner: { readonly roomname: string }
  /** What is said first, on a connection: that of the address is for all documents. */
  readonly token: string | null
  /** Where the server's wish for another one goes. */
  readonly tokens: Pick<Tokens, 'forget' | 'get'>
  readonly environment: Environment
  readonly failure: (error: unknown) => void
}

/** The shared sockets of each environment. */
const trunks = new WeakMap<Environment, readonly Trunk[]>()

/**
 * A socket for one document on the one that all documents of `url` share: in Hocuspocus' framing every message begins with
 * the address of its document.
 *
 * @param open opens the shared socket when there is none, or none that a second session of this document can have
 */
export async function openSharedSocket(part: Part, open: () => SocketLike): Promise<SocketLike> {
  const { url, environment } = part
  const { roomname: room } = part.owner
  if (room.includes(SESSION_SEPARATOR)) throw new Error('no name for a document') // what follows would be lost
  let trunk = pick(part)
  for (; trunk instanceof Promise; trunk = pick(part)) await trunk
  trunk ??= new Trunk(url, open(), (ended) => forget(environment, ended))
  trunks.set(environment, [...new Set([...trunksOf(environment), trunk])])
  const session = Math.floor(environment.random() * 2 ** 32).toString(36)
  const address = trunk.mayConfuse(room) ? `${room}${SESSION_SEPARATOR}${session}` : room
  const branch = new Branch(trunk, address, part)
  trunk.add(branch)
  return branch
}

function trunksOf(environment: Environment): readonly Trunk[] {
  return trunks.get(environment) ?? []
}

function forget(environment: Environment, ended: Trunk): void {
  trunks.set(
    environment,
    trunksOf(environment).filter((trunk) => trunk !== ended),
  )
}

/** A promise: when it can be said. Null: a new one is needed. */
function pick({ url, owner, environment }: Part): Trunk | Promise<void> | null {
  const known = trunksOf(environment).filter((trunk) => trunk.url === url)
  return known.find((trunk) => trunk.takes(owner.roomname)) ?? known.find((trunk) => !trunk.isHeard)?.heard ?? null
}

/** The socket itself. */
class Trunk {
  readonly socket: SocketLike
  readonly #branches = new Map<string, Branch>()
  /** Addresses that have been used, and may still be answered. */
  readonly #used = new Set<string>()
  readonly url: string
  readonly #onEnd: (ended: Trunk) => void
  /** Our server's first message, which is for all documents, those that come later included. */
  #hello: ArrayBuffer | null = null
  /** Resolves when the server has said anything, or will not. */
  readonly heard: Promise<void>
  #hear!: () => void
  #isHeard = false

  constructor(url: string, socket: SocketLike, onEnd: (ended: Trunk) => void) {
    this.url = url
    this.socket = socket
    this.#onEnd = onEnd
    this.heard = new Promise((resolve) => (this.#hear = resolve))
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => this.#each((branch) => branch.open())
    socket.onmessage = (event: MessageEvent) => this.#receive(event.data)
    socket.onerror = (event: Event) => this.#each((branch) => branch.onerror?.(event as never))
    socket.onclose = (event: CloseEvent) => this.#end(event)
  }

  get isHeard(): boolean {
    return this.#isHeard
  }

  get hello(): ArrayBuffer | null {
    return this.#hello
  }

  /**
   * Only our server is known to tell two sessions of one document apart. What others answer to one that has left would be
   * taken for an answer to the next: a document would be in sync with nothing in it.
   */
  takes(room: string): boolean {
    return this.#hello !== null || !this.#used.has(room)
  }

  /** Whether messages to this address may be for somebody else: what was on its way to who has left is not for the next one. */
  mayConfuse(address: string): boolean {
    return this.#hello !== null && this.#used.has(address)
  }

  add(branch: Branch): void {
    this.#branches.set(branch.address, branch)
    this.#used.add(branch.address)
  }

  /**
   * Whether another one waits for its document, which may be large: no answer passes that. Of several that wait, the first
   * does not wait for the others, so that a dead socket is found to be dead.
   */
  isBusyFor(branch: Branch): boolean {
    for (const other of this.#branches.values()) {
      if (other === branch && branch.isWaiting) return false
      if (other !== branch && other.isWaiting) return true
    }
    return false
  }

  /** Whoever comes next gets another socket; who is here stays. */
  retireUnlessOurs(): void {
    if (this.#hello === null) this.#onEnd(this)
  }

  /** @param code given: the socket was found dead, so it is for all others as well */
  leave(branch: Branch, code: number | undefined): void {
    this.#branches.delete(branch.address)
    if (code === undefined && this.#branches.size > 0) return
    discard(this.socket, code)
    this.#end(closeEvent(ABNORMAL))
  }

  #receive(data: unknown): void {
    if (typeof data !== 'object') return
    const frame = new Uint8Array(data as ArrayBuffer)
    if (frame[0] === PING && frame.length === 1) this.socket.send(PONG)
    if (frame.length < 2) return this.#each((branch) => branch.hear(SIGN_OF_LIFE))
    const decoder = createDecoder(frame)
    const address = readText(decoder)
    if (address === null) return this.#each((branch) => branch.hear(MALFORMED)) // whose it is, nobody knows
    const message = frame.slice(decoder.pos).buffer
    const isHello = frame[decoder.pos] === HELLO_TYPE
    if (isHello) this.#hello = message
    this.#isHeard = true
    this.#hear()
    if (frame[decoder.pos] === wire.messageClose) this.#used.delete(address) // the last that is said to whoever had it
    this.#each((branch) => branch.hear(isHello || branch.address === address ? message : SIGN_OF_LIFE))
  }

  #end(event: CloseEvent): void {
    this.#onEnd(this)
    this.#hear()
    this.#each((branch) => branch.end(event))
  }

  #each(task: (branch: Branch) => void): void {
    for (const branch of this.#branches.values()) task(branch)
  }
}

function readText(decoder: Decoder): string | null {
  try {
    return readVarString(decoder)
  } catch {
    return null
  }
}

/** What this message does to the document it is for, where a socket of its own would be closed; null: nothing. */
function ending(message: Uint8Array): CloseEvent | null {
  const [type, kind] = message
  if (type === wire.messageClose) return closeEvent(NORMAL)
  return type === wire.messageAuth && kind === DENIED ? closeEvent(FORBIDDEN, denialIn(message)) : null
}

/** The reason, if one is given. */
function denialIn(message: Uint8Array): string {
  return readText(createDecoder(message.subarray(2))) ?? ''
}

/** Node 20 has no such class. */
function closeEvent(code: number, reason = ''): CloseEvent {
  return { type: 'close', code, reason, wasClean: code !== ABNORMAL } as CloseEvent
}

/** One document's part of it, which looks like a socket of its own. */
class Branch implements SocketLike {
  binaryType = 'arraybuffer'
  onmessage: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  onclose: ((event: never) => void) | null = null
  readyState = 0
  /** Whether anything was said to this document alone. */
  #isHeard = false
  /** Only others have been answered: the socket is not dead. */
  #isPassedOver = false
  /** Whether the document has come. */
  #isSynced = false
  readonly address: string
  readonly #trunk: Trunk
  readonly #part: Part
  readonly #prefix: Uint8Array
  #onopen: ((event: never) => void) | null = null

  constructor(trunk: Trunk, address: string, part: Part) {
    this.#trunk = trunk
    this.address = address
    this.#part = part
    this.#prefix = wire.address(address)
  }

  get bufferedAmount(): number {
    return this.#trunk.socket.bufferedAmount
  }

  get onopen(): ((event: never) => void) | null {
    return this.#onopen
  }

  /** The shared socket may be open already: then this one opens when there is somebody to tell, and all handlers are set. */
  set onopen(handler: ((event: never) => void) | null) {
    this.#onopen = handler
    if (handler !== null) this.#part.environment.clock.endOfTurn(() => this.open())
  }

  get isWaiting(): boolean {
    return this.readyState === 1 && !this.#isSynced
  }

  open(): void {
    if (this.#onopen === null) return
    if (this.readyState !== 0 || this.#trunk.socket.readyState !== 1) return
    this.readyState = 1
    this.#say(this.#part.token)
    this.#onopen({ type: 'open' } as never)
    if (this.#trunk.hello !== null) this.hear(this.#trunk.hello)
  }

  hear(data: ArrayBuffer): void {
    if (this.readyState !== 1) return
    const message = new Uint8Array(data)
    if (this.#isMeaningless(message)) return
    if (message[0] === wire.messageSync && message[1] === 1) this.#isSynced = true
    if (message[0] === wire.messageAuth && message[1] === TOKEN_WANTED) return void this.#sayAgain()
    this.onmessage?.({ data } as never)
    const end = ending(message)
    if (end !== null && this.readyState === 1) this.#leave(end)
  }

  /** Before anything was said to this document, what others are told does not mean that it will be; a hello is for all. */
  #isMeaningless(message: Uint8Array): boolean {
    const isForOthers = message.length === 0
    this.#isHeard ||= !isForOthers && message[0] !== HELLO_TYPE
    this.#isPassedOver = !this.#isHeard && (this.#isPassedOver || isForOthers)
    return isForOthers && this.#isPassedOver
  }

  end(event: CloseEvent): void {
    this.readyState = 3
    this.onclose?.(event as never)
  }

  send(message: Uint8Array): void {
    if (this.readyState !== 1) return
    const frame = new Uint8Array(this.#prefix.length + message.length)
    frame.set(this.#prefix)
    frame.set(message, this.#prefix.length)
    this.#trunk.socket.send(frame)
  }

  /** @param code given: the socket is dead, and not only for this document, unless others have been answered, or are being so */
  close(code?: number): void {
    if (this.readyState > 1) return
    const isDead = code !== undefined && !this.#isPassedOver && !this.#trunk.isBusyFor(this)
    if (!isDead) this.send(closeMessage)
    this.readyState = 3
    this.#trunk.leave(this, isDead ? code : undefined)
  }

  #say(token: string | null): void {
    this.send(wire.auth(token ?? ''))
  }

  async #sayAgain(): Promise<void> {
    const { tokens, failure } = this.#part
    try {
      tokens.forget()
      this.#say(await tokens.get())
    } catch (error) {
      failure(error)
    }
  }

  /**
   * The server has ended this document's part, and the socket stays open. It is not told that we leave: Hocuspocus servers
   * keep what is said of a document they know no more, and would end the next part with it.
   */
  #leave(event: CloseEvent): void {
    this.readyState = 3
    // Such a server does not read a second token of a document it has denied on this socket (Hocuspocus 2 and 3).
    if (event.code === FORBIDDEN) this.#trunk.retireUnlessOurs()
    this.#trunk.leave(this, undefined)
    this.onclose?.(event as never)
  }
}
