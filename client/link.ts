// oxlint-disable unicorn/prefer-add-event-listener -- properties are what all polyfills have, and can be taken away as one
import { backoff } from './backoff.ts'
import { discard } from './discard.ts'
import type { ClientClock, Page, PageEvent, SocketLike } from './environment.ts'
import type { ProviderErrorCode } from './errors.ts'
import type { RoomOwner } from './roomOwner.ts'
import type { LinkStatus } from './status.ts'

/** Milliseconds of silence after which a server that cannot be asked counts as gone, as with y-websocket. */
const PATIENCE_MS = 30_000
/** Milliseconds a timer may be late; beyond that we stood still ourselves, and signs of life are still unread. */
const STALL_MS = 1_000
/** Bytes per millisecond that even a slow connection takes, and brings back as an echo: they may stand before the answer. */
const SLOW_BYTES_PER_MS = 8
/** Heartbeats are this much rarer when nobody looks at the page. */
const HIDDEN_FACTOR = 3

/** Close code for a connection on which nothing is heard any more. */
const DEAD = 4000

/** The state, with what belongs to it and to no other. */
type State =
  | { readonly name: 'offline' }
  /** `socket`: null while the address or the token is not known yet. */
  | { readonly name: 'connecting'; readonly attempt: number; readonly since: number; socket: SocketLike | null }
  | OpenState
  | { readonly name: 'waiting'; readonly attempt: number; readonly retryAt: number }
  | { readonly name: 'denied'; readonly code: number; readonly reason: string }
  | { readonly name: 'closed' }

interface OpenState {
  readonly name: 'open'
  readonly since: number
  readonly socket: SocketLike
  /** When the server last said anything; `since` before. */
  heardAt: number
  /** When it was last asked for a sign of life that has not come; else null. */
  askedAt: number | null
  /** In this silence we stood still ourselves, and gave the server more time for it. */
  hasStalled: boolean
  /** Bytes sent, and how many of them are known to have arrived. */
  sent: number
  arrived: number
  /** What it has shown so far: nothing, that it speaks, that it has the document. */
  progress: 'silent' | 'heard' | 'synced'
}

/** Who uses a link, and decides what it does not know. */
export interface LinkUser {
  /** Both may change. Whether a connection is wanted is read before every attempt; one that is open stays until `disconnect`. */
  readonly owner: Pick<RoomOwner<unknown>, 'shouldConnect' | 'maxBackoffTime'>
  /** Only our server is known to answer when asked for a sign of life. */
  readonly session: { readonly isOurs: boolean; askForSign(): void }
  /** The socket for one attempt; rejects or throws when there cannot be one now. */
  dial(): SocketLike | Promise<SocketLike>
  /** Whether the server's close code leaves anything to hope for. */
  mayReconnect(event: CloseEvent): boolean
  onChange(status: LinkStatus): void
  onOpen(): void
  onMessage(message: Uint8Array): void
  onError(event: Event): void
  /** The socket is gone; `event` is null when we closed it. `wasOpen`: and it was more than an attempt. */
  onClose(event: CloseEvent | null, wasOpen: boolean): void
  /** `code` and `message` say what was attempted, in case the error does not. */
  onFailure(error: unknown, code: ProviderErrorCode, message: string): void
  /** After everything else that follows from a close: the server does not want us. */
  onDenied(event: CloseEvent): void
}

/** Milliseconds. */
export interface LinkTiming {
  readonly connectTimeout: number
  readonly heartbeat: number
}

export interface LinkContext {
  readonly clock: ClientClock
  readonly page: Page
  random(): number
}

/**
 * One connection that is wanted or not, and everything between: events change a fact or the state, and `#evaluate` alone
 * decides what follows from both. One timer, for whatever is next.
 */
export class Link {
  readonly #context: LinkContext
  readonly #timing: LinkTiming
  readonly #user: LinkUser
  /** How many attempts in a row have led to nothing. */
  #failures = 0
  #state: State = { name: 'offline' }
  /** What others may know of the state: another object when it is another state. */
  #status: LinkStatus = { name: 'offline' }
  #cancelTimer: (() => void) | null = null
  #heardAt: number | null = null
  /** Connections and attempts given up for their silence, since the last time a document was in sync. */
  #gaveUp = 0

  constructor(context: LinkContext, timing: LinkTiming, user: LinkUser) {
    this.#context = context
    this.#timing = timing
    this.#user = user
  }

  get status(): LinkStatus {
    return this.#status
  }

  get socket(): SocketLike | null {
    const state = this.#state
    return 'socket' in state ? state.socket : null
  }

  get isOpen(): boolean {
    return this.#open !== null
  }

  /** When the server was last heard, on this connection or on one before; null: never. */
  get heardAt(): number | null {
    return this.#heardAt
  }

  /** On this connection. */
  get bytesSent(): number {
    return this.#open?.sent ?? 0
  }

  /** How many attempts in a row have led to nothing. */
  get failures(): number {
    return this.#failures
  }

  /** Connects at once, also when it would be time to wait. `shouldConnect` must be true by now. */
  connect(): void {
    const { name } = this.#state
    if (name === 'denied') this.#failures = 0
    // Without a timer, who asks is being told of the close: to do so each time must not take the pause away.
    if (name === 'denied' || (name === 'waiting' && this.#cancelTimer)) this.#become({ name: 'offline' })
    this.#evaluate()
  }

  /** Closes what there is. `shouldConnect` must be false by now. */
  disconnect(): void {
    if (this.#state.name === 'denied') this.#enter({ name: 'offline' })
    this.drop()
    this.#evaluate()
  }

  destroy(): void {
    const state = this.#state
    if (state.name === 'closed') return
    this.#cancel()
    this.#become({ name: 'closed' }) // first of all: whoever is told may ask for a connection
    if ('socket' in state) {
      discard(state.socket)
      this.#user.onClose(null, state.name === 'open')
    }
    this.#user.onChange(this.#status)
  }

  send(data: Uint8Array): void {
    const state = this.#open
    if (state?.socket.readyState !== 1) return
    state.sent += data.length
    state.socket.send(data as Uint8Array<ArrayBuffer>) // no SharedArrayBuffer is ever encoded into
  }

  /** The server is known to have got the first `bytes` of what was sent. */
  arrived(bytes: number): void {
    const state = this.#open
    if (state) state.arrived = bytes
  }

  /** A document is in sync: the connection has proved itself. */
  synced(): void {
    const state = this.#open
    if (!state) return
    state.progress = 'synced'
    this.#failures = 0
    this.#gaveUp = 0
    this.#evaluate() // what silence means has changed
  }

  /** Closes the connection; another one follows when it is time, if one is wanted. */
  drop(): void {
    this.#close(null)
  }

  onPage(event: PageEvent): void {
    this.#giveWay(event)
    const state = this.#state
    const isBack = event === 'online' || event === 'visible' || event === 'returned'
    if (state.name === 'waiting' && isBack) this.#become({ ...state, retryAt: this.#context.clock.now() })
    // A network that has changed may have taken the connection with it: ask now.
    else if (state.name === 'open' && (isBack || event === 'offline')) this.#ask(state)
    this.#evaluate()
  }

  /** An attempt that began without a network would wait for its time to be over. */
  #giveWay(event: PageEvent): void {
    const state = this.#state
    const { clock } = this.#context
    if (event !== 'online' || state.name !== 'connecting' || clock.now() - state.since < STALL_MS) return
    this.#gaveUp = 0
    this.#close(null, DEAD) // of a shared socket, for all: none of them is any better off
  }

  get #open(): OpenState | null {
    return this.#state.name === 'open' ? this.#state : null
  }

  #evaluate(): void {
    this.#cancel()
    const state = this.#state
    const isWanted = this.#user.owner.shouldConnect
    const now = this.#context.clock.now()
    switch (state.name) {
      case 'offline':
        if (isWanted) this.#dial(now)
        return
      case 'connecting':
        return this.#closeAt(state.since + this.#timing.connectTimeout * this.#patience, now)
      case 'open':
        return this.#judge(state, now)
      case 'waiting':
        if (!isWanted) return this.#enter({ name: 'offline' })
        return now < state.retryAt ? this.#wakeAt(state.retryAt) : this.#dial(now)
      case 'denied':
      case 'closed':
    }
  }

  /** Whether a silent connection is still one. */
  #judge(state: OpenState, now: number): void {
    const half = (this.#timing.heartbeat / 2) * (this.#context.page.isHidden ? HIDDEN_FACTOR : 1)
    if (state.progress !== 'synced') {
      const isKnown = state.progress === 'silent' && this.#user.session.isOurs
      const patience = isKnown ? this.#timing.connectTimeout : PATIENCE_MS
      return this.#closeAt(state.heardAt + patience * this.#patience, now)
    }
    if (state.askedAt === null && now < state.heardAt + half) return this.#wakeAt(state.heardAt + half)
    if (state.askedAt === null && !this.#ask(state)) return this.#closeAt(state.heardAt + PATIENCE_MS, now)
    this.#closeAt((state.askedAt ?? now) + half + (state.sent - state.arrived) / SLOW_BYTES_PER_MS, now)
  }

  /**
   * Each attempt is given longer. A large document comes as one message of which nothing is seen before its end; and a
   * server to which everybody comes back at once is slow, and slower when all of them give up and begin anew.
   */
  get #patience(): number {
    return 2 ** Math.min(this.#gaveUp, 3)
  }

  #ask(state: OpenState): boolean {
    const { session } = this.#user
    if (state.progress !== 'synced' || !session.isOurs) return false
    state.askedAt ??= this.#context.clock.now()
    session.askForSign()
    return true
  }

  #closeAt(deadline: number, now: number): void {
    if (now < deadline) return this.#wakeAt(deadline)
    this.#gaveUp += 1
    this.#close(null, DEAD)
  }

  #dial(now: number): void {
    const attempt = this.#failures
    const state: State = { name: 'connecting', attempt, since: now, socket: null }
    this.#become(state, { name: 'connecting', attempt })
    const isCurrent = (): boolean => this.#state === state
    try {
      const dialled = this.#user.dial()
      if (dialled instanceof Promise) {
        dialled.then(
          (socket) => (isCurrent() ? this.#attach(state, socket) : discard(socket)),
          (error: unknown) => isCurrent() && this.#fail(error),
        )
      } else this.#attach(state, dialled)
    } catch (error) {
      return this.#fail(error)
    }
    this.#user.onChange(this.#status)
    if (isCurrent()) this.#evaluate()
  }

  #fail(error: unknown): void {
    this.#user.onFailure(error, 'SOCKET_FAILED', 'no socket')
    this.#close(null)
  }

  #attach(state: Extract<State, { name: 'connecting' }>, socket: SocketLike): void {
    state.socket = socket
    socket.binaryType = 'arraybuffer'
    // Handlers of a socket that was given up are taken away, so that each of these speaks of the current one.
    socket.onopen = () => this.#onOpen(socket)
    socket.onmessage = (event: MessageEvent) => this.#onMessage(event.data)
    socket.onerror = (event: Event) => this.#user.onError(event)
    socket.onclose = (event: CloseEvent) => this.#close(event)
  }

  #onOpen(socket: SocketLike): void {
    const now = this.#context.clock.now()
    const state: State = {
      name: 'open',
      since: now,
      socket,
      heardAt: now,
      askedAt: null,
      hasStalled: false,
      sent: 0,
      arrived: 0,
      progress: 'silent',
    }
    this.#become(state, { name: 'open', since: now })
    this.#user.onChange(this.#status)
    if (this.#state === state) this.#user.onOpen()
    this.#evaluate()
  }

  #onMessage(data: unknown): void {
    const state = this.#open
    if (!state) return
    state.heardAt = this.#heardAt = this.#context.clock.now()
    state.askedAt = null
    state.hasStalled = false
    if (state.progress === 'silent') state.progress = 'heard'
    // Not `instanceof`: under test runners with a DOM of their own the buffer may be of another realm.
    if (typeof data === 'object') this.#user.onMessage(new Uint8Array(data as ArrayBuffer))
  }

  #close(event: CloseEvent | null, code?: number): void {
    const state = this.#state
    if (!('socket' in state)) return
    this.#cancel()
    discard(state.socket, code)
    const next = this.#denial(event) ?? this.#whatFollows(state, event)
    this.#become(next)
    this.#user.onClose(event, state.name === 'open')
    if (this.#state === next) this.#user.onChange(this.#status) // unless whoever was told has connected or left
    if (event !== null && next.name === 'denied' && this.#state === next) this.#user.onDenied(event)
    this.#evaluate()
  }

  /** Null: the server has not closed it for good. */
  #denial(event: CloseEvent | null): State | null {
    if (event === null || !this.#user.owner.shouldConnect || this.#user.mayReconnect(event)) return null
    return { name: 'denied', code: event.code, reason: event.reason }
  }

  #whatFollows(state: Extract<State, { name: 'open' | 'connecting' }>, event: CloseEvent | null): State {
    const { owner } = this.#user
    if (!owner.shouldConnect) return { name: 'offline' }
    const { clock, page } = this.#context
    const now = clock.now()
    const syncedFor = state.name === 'open' && state.progress === 'synced' ? now - state.since : null
    const failures = (this.#failures += 1)
    const delay = backoff(
      { code: event?.code ?? 0, syncedFor },
      { failures, maximum: owner.maxBackoffTime, isHidden: page.isHidden, chance: this.#context.random() },
    )
    return { name: 'waiting', attempt: failures, retryAt: now + delay }
  }

  #enter(state: State): void {
    this.#become(state)
    this.#user.onChange(this.#status)
  }

  /** @param status what others may know of it */
  #become(state: State, status: LinkStatus = state): void {
    this.#state = state
    this.#status = status
  }

  #wakeAt(time: number): void {
    const { clock } = this.#context
    this.#cancelTimer = clock.after(time - clock.now(), () => {
      this.#cancelTimer = null
      const state = this.#open
      // We stood still (a suspended machine, a blocked thread): the answer may be waiting to be read. Ask again; once, since
      // all timers of a page nobody looks at may be late.
      if (state?.hasStalled === false && clock.now() - time > STALL_MS) {
        state.hasStalled = true
        state.heardAt = clock.now() - this.#timing.heartbeat / 2
        state.askedAt = null
      }
      this.#evaluate()
    })
  }

  #cancel(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }
}
