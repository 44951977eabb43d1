import { expect } from 'vitest'
import * as Y from 'yjs'
import { defaultLimits } from '../../shared/limits.ts'
import type { Limits } from '../../shared/limits.ts'
import type { Cursor, Engine, Entry, Snapshot } from '../../server/engine/engine.ts'
import { Fanout } from '../../server/engine/fanout.ts'
import { MemoryEngine, MemoryStore } from '../../server/engine/memory/memoryEngine.ts'
import { Registry } from '../../server/document/registry.ts'
import type { Observer, ServerEvent } from '../../server/observer.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'

/** Nodes may hear late of what others append. */
class LateFanout extends Fanout {
  #held: (() => void)[] | null = null

  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const tell of held) tell()
  }

  override appended(node: string, document: string, entry: Entry): void {
    if (this.#held === null) super.appended(node, document, entry)
    else this.#held.push(() => super.appended(node, document, entry))
  }

  override lost(): void {
    this.#held = this.#held === null ? null : []
    super.lost()
  }
}

/** A database with everything that was ever durable in it. */
export class Database extends MemoryStore {
  override readonly fanout = new LateFanout()
  readonly durable = new Map<string, Y.Doc>()
}

/** The log, watched: what is durable, known the moment it is, without asking the server. */
class WatchedEngine extends MemoryEngine {
  readonly #durable: Map<string, Y.Doc>
  compactions = 0

  constructor(database: Database) {
    super(database)
    this.#durable = database.durable
  }

  durable(document: string): Y.Doc {
    const known = this.#durable.get(document) ?? new Y.Doc()
    this.#durable.set(document, known)
    return known
  }

  override async append(document: string, update: Uint8Array): Promise<Cursor> {
    const cursor = await super.append(document, update)
    Y.applyUpdate(this.durable(document), update)
    return cursor
  }

  override async compact(document: string, base: Cursor | null, upTo: Cursor, snapshot: Snapshot): Promise<boolean> {
    const done = await super.compact(document, base, upTo, snapshot)
    if (done) this.compactions += 1
    return done
  }
}

/** A server (one node of several, if they share a database) without sockets, its storage and its clock. `crash` leaves nothing but what was durable. */
export class World implements Observer {
  clock = new FakeClock()
  stored: WatchedEngine
  readonly limits: Limits
  readonly events: ServerEvent[] = []
  #releases: (() => void)[] = []
  engine: FaultyEngine
  registry: Registry
  /** Rises with every crash; links of earlier generations are dead. */
  generation = 0

  readonly #database: Database

  /** @param database shared with the other nodes; default: one of its own */
  constructor(limits: Partial<Limits> = {}, database = new Database()) {
    this.limits = { ...defaultLimits, ...limits }
    this.#database = database
    this.stored = new WatchedEngine(database)
    this.engine = new FaultyEngine(this.stored)
    this.registry = this.#start()
  }

  observe(event: ServerEvent): void {
    this.events.push(event)
  }

  count(type: ServerEvent['type']): number {
    return this.events.filter((event) => event.type === type).length
  }

  hold(operation: 'append' | 'load' | 'compact'): void {
    this.#releases.push(this.engine.hold(operation))
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release()
  }

  /** `kill -9`: memory is gone, and so are operations that had not reached the storage. */
  crash(): void {
    this.#releases = []
    this.clock = new FakeClock() // the dead server's timers never run
    this.#database.fanout.left(this.stored.node)
    this.stored = new WatchedEngine(this.#database)
    this.engine = new FaultyEngine(this.stored)
    this.registry = this.#start()
    this.generation += 1
  }

  heal(): void {
    this.release()
    this.engine.heal('append')
    this.engine.heal('load')
    this.engine.heal('compact')
  }

  /** P1: everything in this update is in the log. */
  expectDurable(document: string, update: Uint8Array, what: string): void {
    expect(this.isDurable(document, update), `${what} shows what is not durable`).toBe(true)
  }

  isDurable(document: string, update: Uint8Array): boolean {
    return Y.snapshotContainsUpdate(Y.snapshot(this.stored.durable(document)), update)
  }

  /** P2: what a load returns now is exactly what was ever appended. */
  async expectStored(document: string): Promise<void> {
    const loaded = await decodeStored(this.stored, document)
    expectSame(loaded, this.stored.durable(document), `${document} as stored`)
    loaded.destroy()
  }

  #start(): Registry {
    const { engine, clock, limits } = this
    return new Registry({ engine, clock, observer: this, limits })
  }
}

async function decodeStored(engine: Engine, document: string): Promise<Y.Doc> {
  const { snapshot, tail } = await engine.load(document)
  const doc = new Y.Doc()
  if (snapshot !== null) {
    Y.applyUpdate(doc, snapshot.state)
    expect(Y.decodeStateVector(snapshot.stateVector)).toEqual(Y.decodeStateVector(Y.encodeStateVector(doc)))
  }
  for (const { update } of tail) Y.applyUpdate(doc, update)
  return doc
}

/** Same structs, same deletes, nothing pending. */
export function expectSame(actual: Y.Doc, expected: Y.Doc, what: string): void {
  for (const doc of [actual, expected]) {
    expect(doc.store.pendingStructs, `${what}: pending structs`).toBe(null)
    expect(doc.store.pendingDs, `${what}: pending deletes`).toBe(null)
  }
  expect(Y.decodeStateVector(Y.encodeStateVector(actual)), `${what}: state vector`).toEqual(
    Y.decodeStateVector(Y.encodeStateVector(expected)),
  )
  expect(Y.equalSnapshots(Y.snapshot(actual), Y.snapshot(expected)), `${what}: snapshot`).toBe(true)
  expect(contentOf(actual), `${what}: content`).toEqual(contentOf(expected))
}

/**
 * Read from a copy: once somebody has asked a document for its text, Yjs tidies up that text's formatting after every
 * remote change, and deletes what nobody has deleted.
 */
function contentOf(original: Y.Doc): unknown {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(original))
  return { text: doc.getText('text').toDelta(), map: doc.getMap('map').toJSON(), list: doc.getArray('list').toJSON() }
}
