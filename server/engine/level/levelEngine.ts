import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { StorageError } from '../../../shared/errors.ts'
import { type Clock, systemClock } from '../../clock.ts'
import type {
  Cursor,
  Durability,
  Engine,
  EngineHealth,
  Entry,
  ListQuery,
  Loaded,
  Sink,
  Snapshot,
  Subscription,
} from '../engine.ts'
import { Fanout } from '../fanout.ts'
import { asStorageError, type Database, openDatabase } from './database.ts'
import { PROBE_KEY } from './keys.ts'
import { LevelSession } from './levelSession.ts'
import { keepDamagedLogs } from './logCheck.ts'
import { createMarker, type Marker, readMarker, requireDatabase, unreadable, writeMarker } from './marker.ts'
import { checkTables } from './tableCheck.ts'
import { Quarantine, type QuarantineInfo } from './quarantine.ts'

export interface LevelEngineOptions {
  /** Data directory; created when it does not exist. One process at a time. */
  readonly directory: string
  /** 'memory' is not a level of this engine: the composition root uses the memory engine then. */
  readonly durability: 'fsync' | 'os'
  /** Default: the real one. */
  readonly clock?: Clock
  /** Called on every change between working and not working. Must not throw. */
  readonly onHealth?: (health: EngineHealth) => void
  /** Called once for each piece of unreadable data, after its raw bytes are safe. Must not throw. */
  readonly onQuarantine?: (info: QuarantineInfo) => void
}

/** Milliseconds between attempts to reopen: the first at once, then doubling between these. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5000

type State =
  | { readonly kind: 'open'; readonly session: LevelSession }
  | { readonly kind: 'failing'; readonly error: StorageError; readonly since: number; readonly recovery: Promise<void> }
  | { readonly kind: 'closed'; readonly done: Promise<void>; readonly since: number }

/**
 * Documents in `<directory>/leveldb`. Throws StorageError: STORAGE_LOCKED, STORAGE_MISSING, STORAGE_FOREIGN,
 * STORAGE_CORRUPT, or STORAGE_UNAVAILABLE when the directory cannot be used; each message says what to do.
 */
export async function openLevelEngine(options: LevelEngineOptions): Promise<Engine> {
  const { directory } = options
  const quarantine = new Quarantine(directory, options.onQuarantine ?? (() => undefined))
  try {
    await mkdir(directory, { recursive: true })
  } catch (thrown) {
    throw unreadable(directory, thrown)
  }
  const found = (await readMarker(directory)) ?? (await createMarker(directory))
  if (found.state === 'ready') {
    await requireDatabase(directory)
    await checkTables(directory, quarantine)
  }
  const database = await openAs(found, directory, quarantine)
  const marker: Marker = { ...found, state: 'ready' }
  if (found.state === 'creating') await writeMarker(directory, marker)
  return new LevelEngine(options, { marker, database, quarantine })
}

async function openAs(marker: Marker, directory: string, quarantine: Quarantine): Promise<Database> {
  if (marker.state === 'creating') return openDatabase(directory, true)
  await requireDatabase(directory)
  // Reads the log of a database that another process may hold; then it may look torn, and opening it says so anyway.
  await keepDamagedLogs(directory, quarantine)
  return openDatabase(directory, false)
}

interface Opened {
  readonly marker: Marker
  readonly database: Database
  readonly quarantine: Quarantine
}

/** Gives every call to the current session, and replaces the session after a failed write. */
class LevelEngine implements Engine {
  readonly node = randomBytes(6).toString('hex')
  readonly durability: Durability
  readonly #directory: string
  readonly #fanout = new Fanout()
  readonly #clock: Clock
  readonly #onHealth: (health: EngineHealth) => void
  readonly #marker: Marker
  readonly #quarantine: Quarantine
  #state: State
  #cancelPause: (() => void) | null = null
  /** Calls of the current session that have not been answered. */
  #active = 0
  #settled: (() => void) | null = null

  constructor(options: LevelEngineOptions, opened: Opened) {
    this.#directory = options.directory
    this.durability = options.durability
    this.#clock = options.clock ?? systemClock
    this.#onHealth = options.onHealth ?? (() => undefined)
    this.#marker = opened.marker
    this.#quarantine = opened.quarantine
    this.#state = { kind: 'open', session: this.#session(opened.database) }
  }

  load(document: string): Promise<Loaded> {
    return this.#use('Loading', (session) => session.load(document))
  }

  tail(document: string, after: Cursor): Promise<readonly Entry[] | 'trimmed'> {
    return this.#use('Reading', (session) => session.tail(document, after))
  }

  append(document: string, update: Uint8Array): Promise<Cursor> {
    return this.#use('Writing', (session) => session.append(document, update)).then((cursor) => {
      this.#fanout.appended(this.node, document, { cursor, update })
      return cursor
    })
  }

  /** There are no other nodes: nothing can have been missed, and nothing comes. */
  subscribe(document: string, after: Cursor | null, sink: Sink): Subscription {
    return this.#fanout.follow({ node: this.node, document, after, sink }, Promise.resolve([]))
  }

  publish(): void {
    // There is nobody to tell.
  }

  compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    return this.#use('Compacting', (session) => session.compact(document, base, upTo, snapshot))
  }

  remove(document: string): Promise<void> {
    return this.#use('Removing', (session) => session.remove(document))
  }

  list(query: ListQuery): Promise<readonly string[]> {
    return this.#use('Listing', (session) => session.list(query))
  }

  health(): EngineHealth {
    const state = this.#state
    if (state.kind === 'open') return { state: 'ok' }
    if (state.kind === 'failing') return { state: 'failing', error: state.error, since: state.since }
    return { state: 'failing', error: closedError(), since: state.since }
  }

  close(): Promise<void> {
    const state = this.#state
    if (state.kind === 'closed') return state.done
    const done = state.kind === 'open' ? this.#settle(state.session) : state.recovery
    this.#state = { kind: 'closed', done, since: this.#clock.now() }
    this.#cancelPause?.()
    return done
  }

  /** Everything that was called before `close` gets its answer first. */
  async #settle(session: LevelSession): Promise<void> {
    if (this.#active > 0) await new Promise<void>((resolve) => (this.#settled = resolve))
    await session.close()
  }

  async #use<T>(action: string, use: (session: LevelSession) => Promise<T>): Promise<T> {
    const state = this.#state
    if (state.kind === 'failing') throw failingError(state.error)
    if (state.kind === 'closed') throw closedError()
    this.#active += 1
    try {
      return await use(state.session)
    } catch (thrown) {
      throw asStorageError(action, thrown)
    } finally {
      this.#active -= 1
      if (this.#active === 0) this.#settled?.()
    }
  }

  #session(database: Database): LevelSession {
    const session: LevelSession = new LevelSession({
      database,
      epoch: this.#marker.epoch,
      sync: this.durability === 'fsync',
      clock: this.#clock,
      quarantine: this.#quarantine,
      onFailure: (error) => this.#failed(session, error),
    })
    return session
  }

  /**
   * After one failed write LevelDB may accept the next ones and lose them (a full disk: 300 of 300), or refuse them for
   * ever. Nothing is accepted until the database has been closed and opened again.
   */
  #failed(session: LevelSession, thrown: Error): void {
    if (this.#state.kind !== 'open') return
    const error = asStorageError(`Writing to ${this.#directory}`, thrown)
    this.#state = { kind: 'failing', error, since: this.#clock.now(), recovery: this.#recover(session) }
    this.#onHealth(this.health())
  }

  async #recover(session: LevelSession): Promise<void> {
    // A handle whose write failed may not close cleanly either; the lock decides whether reopening works.
    await session.close().catch(() => undefined)
    for (let delay = FIRST_RETRY_MS; this.#state.kind !== 'closed'; delay = Math.min(2 * delay, LAST_RETRY_MS)) {
      const database = await this.#reopen()
      if (database !== null) return this.#recovered(database)
      await this.#pause(delay)
    }
  }

  async #recovered(database: Database): Promise<void> {
    if (this.#state.kind === 'closed') {
      await database.close()
      return
    }
    this.#state = { kind: 'open', session: this.#session(database) }
    this.#onHealth(this.health())
  }

  /** Null when it failed; the reason is then what health() shows. */
  async #reopen(): Promise<Database | null> {
    let database: Database | null = null
    try {
      const marker = await readMarker(this.#directory)
      if (marker?.epoch !== this.#marker.epoch) throw replacedError(this.#directory)
      database = await openAs(this.#marker, this.#directory, this.#quarantine)
      // Opening can succeed on a disk that is still full; a write that reaches the disk cannot.
      await database.put(PROBE_KEY, new Uint8Array(0), { sync: true })
      return database
    } catch (thrown) {
      await database?.close().catch(() => undefined)
      const state = this.#state
      const error = asStorageError('Reopening the database', thrown)
      if (state.kind === 'failing') this.#state = { ...state, error }
      return null
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    if (this.#state.kind === 'closed') return
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(milliseconds, resolve)
      this.#cancelPause = () => {
        cancel()
        resolve()
      }
    })
    this.#cancelPause = null
  }
}

/** A new one for each call, so that its stack says who asked. */
function failingError(cause: StorageError): StorageError {
  return new StorageError('STORAGE_UNAVAILABLE', `The storage is failing: ${cause.message}`, cause)
}

function closedError(): StorageError {
  return new StorageError('STORAGE_CLOSED', 'The storage is closed.')
}

function replacedError(directory: string): StorageError {
  return new StorageError('STORAGE_FOREIGN', `${directory} was replaced while this process was using it. Restart it.`)
}
