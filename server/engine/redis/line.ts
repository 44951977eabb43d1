import { toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { Connection } from './connection.ts'

/** Milliseconds before the first and the last kind of another attempt; doubled in between, then spread by half. */
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 2_000
/** Milliseconds between signs of life asked of an idle server, since a vanished one says nothing. */
const PING_MS = 5_000

type State =
  | { readonly name: 'connecting' }
  | { readonly name: 'open'; readonly connection: Connection; readonly cancelPing: () => void }
  | { readonly name: 'waiting'; readonly cancel: () => void }
  | { readonly name: 'closed' }

export interface LineOptions {
  readonly clock: Clock
  /** Opens a connection and makes it ready for use; `onLost` is for the connection to call. */
  readonly open: (onLost: (error: Error) => void) => Promise<Connection>
  readonly onOpen: (connection: Connection) => void
  /** After every failed attempt, and whenever an open connection was lost. */
  readonly onDown: (error: Error) => void
}

/** A connection that is replaced whenever it is lost, for ever. */
export class Line {
  readonly #options: LineOptions
  #state: State = { name: 'connecting' }
  #attempts = 0

  constructor(options: LineOptions) {
    this.#options = options
    void this.#connect()
  }

  /** Null while there is none. */
  get connection(): Connection | null {
    return this.#state.name === 'open' ? this.#state.connection : null
  }

  /** Gives the connection up and makes another one at once: it works, but not for us (a master that no longer is). */
  restart(reason: Error): void {
    if (this.#state.name !== 'open') return
    this.#release()
    this.#down(reason, 0)
  }

  close(): void {
    this.#release()
    this.#state = { name: 'closed' }
  }

  async #connect(): Promise<void> {
    this.#state = { name: 'connecting' }
    // One that is lost while it is being made ready was never open: then `open` rejects.
    const made: { lost: Error | null } = { lost: null }
    const onLost = (error: Error): void => {
      made.lost = error
      this.#lost(error)
    }
    try {
      const connection = await this.#options.open(onLost)
      if (made.lost !== null) throw made.lost
      this.#opened(connection)
    } catch (thrown) {
      if (this.#isClosed()) return
      this.#down(toError(thrown), this.#delay())
    }
  }

  #opened(connection: Connection): void {
    if (this.#isClosed()) return connection.destroy()
    this.#attempts = 0
    this.#state = { name: 'open', connection, cancelPing: this.#pingLater(connection) }
    this.#options.onOpen(connection)
  }

  #pingLater(connection: Connection): () => void {
    return this.#options.clock.after(PING_MS, () => {
      const state = this.#state
      if (state.name !== 'open' || state.connection !== connection) return
      // A failure ends the connection, which says so by itself.
      if (connection.owed === 0) connection.send(['PING']).catch(() => undefined)
      this.#state = { ...state, cancelPing: this.#pingLater(connection) }
    })
  }

  #lost(error: Error): void {
    if (this.#state.name !== 'open') return
    this.#release()
    this.#down(error, this.#delay())
  }

  #down(error: Error, delay: number): void {
    this.#state = { name: 'waiting', cancel: this.#options.clock.after(delay, () => void this.#connect()) }
    this.#options.onDown(error)
  }

  #delay(): number {
    const delay = Math.min(FIRST_RETRY_MS * 2 ** this.#attempts, LAST_RETRY_MS)
    this.#attempts += 1
    // All nodes lose a server at the same moment; they need not all come back at the same moment.
    return delay * (0.5 + Math.random())
  }

  #release(): void {
    if (this.#state.name === 'waiting') this.#state.cancel()
    if (this.#state.name !== 'open') return
    this.#state.cancelPing()
    this.#state.connection.destroy()
  }

  #isClosed(): boolean {
    return this.#state.name === 'closed'
  }
}
