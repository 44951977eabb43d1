import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { FakeClock } from '../../client/testing/index.ts'
import { defaultLimits } from '../../shared/limits.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { Compactor } from '../../server/document/compactor.ts'
import { Content } from '../../server/document/content.ts'
import type { Broadcast } from '../../server/document/broadcast.ts'
import type { Link } from '../../server/document/link.ts'
import type { Participant } from '../../server/document/participant.ts'
import { Pipeline } from '../../server/document/pipeline.ts'
import { Presence } from '../../server/document/presence.ts'
import { MemoryEngine, MemoryStore } from '../../server/engine/memory/memoryEngine.ts'
import type { ServerEvent } from '../../server/observer.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'

const dialect = { protocol: 'y-websocket', key: '', prefix: new Uint8Array(), acknowledges: false } as const

/** Updates of one client that types these texts one after the other. */
function typed(client: number, ...texts: string[]): readonly [Uint8Array, Uint8Array] {
  const doc = new Y.Doc()
  doc.clientID = client
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (const text of texts) doc.getText('text').insert(doc.getText('text').length, text)
  const [first = new Uint8Array(), second = new Uint8Array()] = updates
  return [first, second]
}

/** A document on one node, with one listener; `other` is another node that writes into the same log. */
class Node {
  readonly store = new MemoryStore()
  readonly other = new MemoryEngine(this.store)
  readonly engine = new FaultyEngine(new MemoryEngine(this.store))
  readonly clock = new FakeClock()
  readonly events: ServerEvent[] = []
  /** What the listener has been told. */
  readonly heard = new Y.Doc()
  readonly #listener: Participant
  #pipeline: Pipeline | null = null

  constructor() {
    const ignore = (): void => {}
    const link = { encode: (_prefix: Uint8Array, message: Uint8Array) => message } as unknown as Link
    const deliver = (broadcast: Broadcast): void => {
      const reader = new Reader(broadcast.frameFor(dialect, link))
      expect([reader.varUint(), reader.varUint()]).toEqual([0, 2])
      Y.applyUpdate(this.heard, reader.buffer())
    }
    const calls = { taken: ignore, settled: ignore, hold: ignore, fail: ignore, close: ignore, deliverPresence: ignore }
    this.#listener = { ...calls, isGone: false, serve: () => 'done', deliver }
  }

  get pipeline(): Pipeline {
    if (this.#pipeline === null) throw new Error('not open')
    return this.#pipeline
  }

  async open(): Promise<this> {
    const { engine, clock } = this
    const presence = new Presence(defaultLimits, () => {})
    const observer = { observe: (event: ServerEvent): void => void this.events.push(event) }
    const options = { name: 'room', engine, clock, observer, limits: defaultLimits, presence }
    this.#pipeline = new Pipeline({ ...options, participants: new Set([this.#listener]) }, await engine.load('room'))
    await clock.advanceAsync(100)
    return this
  }

  submit(update: Uint8Array): void {
    const submission = {
      from: this.#listener,
      number: 1,
      update,
      structs: 1,
      appends: false,
      acknowledge: true,
      arrivedAt: 0,
    }
    this.pipeline.submit(submission, walkUpdate(update))
  }

  get text(): string {
    return this.heard.getText('text').toJSON()
  }

  types(): string[] {
    return this.events.map(({ type }) => type)
  }
}

describe('a document whose log others write too', () => {
  it('R1: what comes while an append takes long is shown after it', async () => {
    const node = await new Node().open()
    const release = node.engine.hold('append')
    node.submit(typed(1, 'mine')[0])
    await node.clock.advanceAsync(5)
    await node.other.append('room', typed(2, 'theirs')[0])
    await node.clock.advanceAsync(100)
    release()
    await node.clock.advanceAsync(100)
    expect(node.text).toContain('theirs')
  })

  it('R4: a reading that ends while an append takes long is taken after it', async () => {
    const node = await new Node().open()
    const release = node.engine.hold('append')
    node.submit(typed(1, 'mine')[0])
    await node.clock.advanceAsync(5)
    node.store.fanout.lost()
    await node.clock.advanceAsync(100)
    release()
    await node.clock.advanceAsync(100)
    await node.other.append('room', typed(2, 'theirs')[0])
    await node.clock.advanceAsync(100)
    expect(node.text).toContain('theirs')
    expect(node.pipeline.isSettled).toBe(true)
  })

  it('R5: a gap in the log hides nothing else of it, and is not read again and again', async () => {
    const node = await new Node().open()
    const [first, second] = typed(7, 'one', 'two')
    await node.other.append('room', second)
    await node.clock.advanceAsync(20)
    await node.other.append('room', typed(9, 'others')[0])
    await node.clock.advanceAsync(2_000)
    expect(node.text).toBe('others')
    expect(node.engine.calls('load')).toBeLessThan(5)
    expect(node.pipeline.isSettled).toBe(true)
    await node.other.append('room', first)
    await node.clock.advanceAsync(2_000)
    for (const part of ['others', 'onetwo']) expect(node.text).toContain(part)
  })

  it('R1: what stands before a gap in the same beat reaches the room', async () => {
    const node = await new Node().open()
    const [first, second] = typed(7, 'one', 'two')
    await Promise.all([node.other.append('room', typed(9, 'others')[0]), node.other.append('room', second)])
    await node.clock.advanceAsync(100)
    await node.other.append('room', first)
    await node.clock.advanceAsync(2_000)
    for (const part of ['others', 'onetwo']) expect(node.text).toContain(part)
  })

  it('R5, P2: an entry that is not an update, found when the log is read again, is reported and not compacted away', async () => {
    const node = await new Node().open()
    node.submit(typed(1, 'mine')[0])
    await node.clock.advanceAsync(100)
    node.store.fanout.lost()
    await node.other.append('room', Uint8Array.of(9, 9, 9, 9, 9))
    await node.clock.advanceAsync(500)
    await node.pipeline.compact()
    expect((await node.other.load('room')).snapshot).toBeNull()
    expect(node.types()).toContain('poisoned')
  })

  it('D9, P2: the last snapshot is not made when only now Yjs throws on an entry of the log', async () => {
    const node = new Node()
    const collected = Uint8Array.of(1, 1, 3, 0, 0, 1, 0)
    const overlapping = Uint8Array.of(1, 1, 3, 0, 4, 1, 1, 0x61, 2, 0x62, 0x63, 0)
    for (const update of [collected, overlapping, typed(7, 'kept')[0]]) await node.other.append('room', update)
    await node.open()
    await node.pipeline.compact()
    const { snapshot, tail } = await node.other.load('room')
    expect([snapshot, tail.length]).toEqual([null, 3])
  })
})

describe('a compactor', () => {
  it('D10: another node’s snapshot, heard of while ours is made, does not keep later ones from being made', async () => {
    const store = new MemoryStore()
    const engine = new FaultyEngine(new MemoryEngine(store))
    const cursors: string[] = []
    for (let count = 0; count < 10; count += 1) cursors.push(await engine.append('room', typed(count + 1, 'x')[0]))
    const loaded = await engine.load('room')
    const content = new Content(loaded, defaultLimits)
    const compactor = new Compactor({ name: 'room', engine, observer: { observe: () => {} } }, loaded)
    const release = engine.hold('compact')
    const running = compactor.run(cursors[9] ?? '', content)
    compactor.compactedElsewhere(cursors[4] ?? '')
    compactor.fold(content)
    release()
    await running
    compactor.appended()
    expect(compactor.hasEntries).toBe(true)
  })
})
