import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { Cursor, Engine, Entry, Message, Sink, Subscription } from '../engine/engine.ts'
import { appendAll, at, bytes, sequence, type SharedEngineUnderTest, snapshotOf } from './engineCase.ts'

type CaseBody = (engine: Engine, test: SharedEngineUnderTest) => Promise<void>

/** Milliseconds after which something that should arrive is missing: far above anything that works takes. */
const PATIENCE_MS = 10_000

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS
  while (!holds()) {
    assert.ok(performance.now() < deadline, `timed out waiting until ${what}`)
    await pause(2)
  }
}

/** A sink that keeps what it is told. */
class Listener implements Sink {
  readonly entries: Entry[] = []
  readonly messages: Message[] = []
  stales = 0
  readonly #engine: Engine
  readonly #document: string
  #subscription: Subscription | null = null

  constructor(engine: Engine, document: string, after: Cursor | null) {
    this.#engine = engine
    this.#document = document
    this.#subscription = engine.subscribe(document, after, this)
  }

  get position(): Cursor | null {
    return this.#subscription?.position ?? null
  }

  /** First byte of each entry. */
  get values(): (number | undefined)[] {
    return this.entries.map(({ update }) => update[0])
  }

  entry(entry: Entry): void {
    this.entries.push(entry)
  }

  message(message: Message): void {
    this.messages.push({ ...message, bytes: Uint8Array.from(message.bytes) })
  }

  stale(): void {
    this.stales += 1
  }

  left(): void {
    // Not every engine can know.
  }

  end(): void {
    this.#subscription?.end()
  }

  /** Resolves when everything that was appended so far has been given or passed: the position is the head. */
  async caughtUp(): Promise<void> {
    const { head } = await this.#engine.load(this.#document)
    await until(() => this.position === head, `the position is ${String(head)}; it is ${String(this.position)}`)
  }
}

const range = (start: number, end: number): number[] => Array.from({ length: end - start }, (_, index) => start + index)

/** Following, telling the others, and several writers. */
export const nodeCases: readonly (readonly [title: string, body: CaseBody])[] = [
  [
    'nodes have names of their own, in short ASCII, and the same durability',
    async (engine, test) => {
      const peer = await test.peer()
      assert.notEqual(engine.node, peer.node)
      assert.match(engine.node, /^[\x21-\x7e]{1,64}$/)
      assert.equal(engine.durability, peer.durability)
    },
  ],
  [
    'what one node appends, every other can load',
    async (engine, test) => {
      const peer = await test.peer()
      const cursors = [...(await appendAll(engine, 'a', [1, 2])), ...(await appendAll(peer, 'a', [3]))]
      assert.deepEqual(cursors.map(sequence), [1, 2, 3])
      assert.deepEqual(await engine.load('a'), await peer.load('a'))
      assert.deepEqual(await peer.list({ limit: 10 }), ['a'])
    },
  ],
  [
    'a follower is given what others append, in order and without a hole, and nothing of its own node',
    async (engine, test) => {
      const peer = await test.peer()
      const listener = new Listener(engine, 'a', null)
      for (const value of range(0, 30)) await (value % 3 === 0 ? engine : peer).append('a', bytes(value))
      await listener.caughtUp()
      const expected = range(0, 30).filter((value) => value % 3 !== 0)
      assert.deepEqual(listener.values, expected)
      assert.deepEqual(
        listener.entries.map(({ cursor }) => sequence(cursor)),
        expected.map((value) => value + 1),
      )
      assert.equal(listener.stales, 0)
    },
  ],
  [
    'what was appended between load and subscribe arrives as well, and first',
    async (engine, test) => {
      const peer = await test.peer()
      await appendAll(peer, 'a', [1, 2])
      const { head } = await engine.load('a')
      await appendAll(peer, 'a', [3, 4])
      const listener = new Listener(engine, 'a', head)
      await appendAll(peer, 'a', [5, 6])
      await listener.caughtUp()
      assert.deepEqual(listener.values, [3, 4, 5, 6])
    },
  ],
  [
    'nodes that write at the same time give each other everything, in the same order for all',
    async (engine, test) => {
      const nodes = [engine, await test.peer(), await test.peer()]
      const listeners = nodes.map((node) => new Listener(node, 'a', null))
      const rounds = range(0, 40).map((value) => nodes.map((node) => node.append('a', bytes(value))))
      const cursors = await Promise.all(rounds.flat())
      for (const [index, listener] of listeners.entries()) {
        await listener.caughtUp()
        const own = new Set(cursors.filter((_, position) => position % nodes.length === index))
        const others = cursors.filter((cursor) => !own.has(cursor)).map(sequence)
        const given = listener.entries.map(({ cursor }) => sequence(cursor))
        assert.deepEqual(
          given,
          others.sort((left, right) => left - right),
        )
      }
    },
  ],
  [
    'the position never passes an entry of others that was not given',
    async (engine, test) => {
      const peer = await test.peer()
      const listener = new Listener(engine, 'a', null)
      const own = new Set<Cursor>()
      const check = (): void => {
        if (listener.position === null) return
        const known = new Set([...own, ...listener.entries.map(({ cursor }) => cursor)].map(sequence))
        for (const number of range(1, sequence(listener.position) + 1)) assert.ok(known.has(number), String(number))
      }
      for (const value of range(0, 50)) {
        const others = peer.append('a', bytes(value))
        own.add(await engine.append('a', bytes(value)))
        check()
        await others
        check()
      }
      await listener.caughtUp()
      check()
      assert.equal(listener.entries.length, 50)
    },
  ],
  [
    'what a sink is told comes in a turn of its own',
    async (engine, test) => {
      const peer = await test.peer()
      const calling = { engine: false }
      const listener = new Listener(engine, 'a', null)
      const noted: boolean[] = []
      listener.entry = (entry) => {
        noted.push(calling.engine)
        listener.entries.push(entry)
      }
      calling.engine = true
      const appended = [peer.append('a', bytes(1)), engine.append('a', bytes(2)), peer.append('a', bytes(3))]
      calling.engine = false
      await Promise.all(appended)
      await until(() => noted.length === 2, 'both entries have arrived')
      assert.deepEqual(noted, [false, false])
    },
  ],
  [
    'a message reaches the followers on other nodes, and nobody else',
    async (engine, test) => {
      const [peer, third] = [await test.peer(), await test.peer()]
      const [own, heard, elsewhere] = [
        new Listener(engine, 'a', null),
        new Listener(peer, 'a', null),
        new Listener(third, 'b', null),
      ]
      // Whoever follows from the first moment on is not told by anything; a message may be lost until then.
      await until(() => {
        engine.publish('a', 'hello', bytes(0))
        return heard.messages.length > 0
      }, 'the follower hears')
      const sent = bytes(1, 2, 255)
      engine.publish('a', 'presence', sent)
      sent.fill(0)
      const arrived = (): Message | undefined => heard.messages.find(({ kind }) => kind === 'presence')
      await until(() => arrived() !== undefined, 'the message arrives')
      assert.deepEqual(arrived(), { from: engine.node, kind: 'presence', bytes: bytes(1, 2, 255) })
      // Said later and heard: so what was said before has arrived where it was to arrive.
      peer.publish('a', 'answer', new Uint8Array(0))
      await until(() => own.messages.length > 0, 'the answer arrives')
      assert.deepEqual(
        own.messages.map(({ from, kind, bytes: content }) => [from, kind, content.length]),
        [[peer.node, 'answer', 0]],
      )
      assert.deepEqual(elsewhere.messages, [])
    },
  ],
  [
    'a subscription that was ended is silent, and can be followed by another',
    async (engine, test) => {
      const peer = await test.peer()
      const [ended, other] = [new Listener(engine, 'a', null), new Listener(peer, 'a', null)]
      const [first] = await appendAll(peer, 'a', [1])
      await ended.caughtUp()
      ended.end()
      ended.end()
      await appendAll(peer, 'a', [2])
      peer.publish('a', 'hello', bytes(1))
      const next = new Listener(engine, 'a', first ?? null)
      await appendAll(peer, 'a', [3])
      await next.caughtUp()
      assert.deepEqual(next.values, [2, 3])
      assert.deepEqual(ended.values, [1])
      assert.deepEqual([ended.messages, ended.stales], [[], 0])
      assert.deepEqual(other.values, [])
    },
  ],
  [
    'a follower does not notice that another node compacts',
    async (engine, test) => {
      const peer = await test.peer()
      const listener = new Listener(engine, 'a', null)
      let base: Cursor | null = null
      for (const value of range(0, 40)) {
        const cursor = await peer.append('a', bytes(value))
        if (value % 8 !== 7) continue
        await listener.caughtUp()
        assert.equal(await peer.compact('a', base, cursor, snapshotOf(...range(0, value + 1))), true)
        base = cursor
      }
      await listener.caughtUp()
      assert.deepEqual(listener.values, range(0, 40))
      assert.equal(listener.stales, 0)
    },
  ],
  [
    'of two nodes that compact at once, exactly one wins, and nothing is missing',
    async (engine, test) => {
      const peer = await test.peer()
      let base: Cursor | null = null
      for (const round of range(1, 11)) {
        const cursors = await appendAll(round % 2 === 0 ? engine : peer, 'a', [round, round])
        const results: boolean[] = await Promise.all([
          engine.compact('a', base, at(cursors, 1), snapshotOf(round)),
          peer.compact('a', base, at(cursors, 0), snapshotOf(round)),
        ])
        assert.equal(results.filter(Boolean).length, 1)
        const loaded = await peer.load('a')
        assert.equal(loaded.base, results[0] === true ? at(cursors, 1) : at(cursors, 0))
        assert.equal(loaded.tail.length, results[0] === true ? 0 : 1)
        base = loaded.base
      }
    },
  ],
  [
    'who follows from a place that has been trimmed is told that it is stale: once, and nothing else',
    async (engine, test) => {
      const peer = await test.peer()
      const cursors = await appendAll(peer, 'a', [1, 2, 3, 4])
      await peer.compact('a', null, at(cursors, 1), snapshotOf(1, 2))
      await peer.compact('a', at(cursors, 1), at(cursors, 2), snapshotOf(1, 2, 3))
      const late = new Listener(engine, 'a', at(cursors, 0))
      await until(() => late.stales > 0, 'it is stale')
      const { head } = await engine.load('a')
      const next = new Listener(engine, 'a', head)
      await appendAll(peer, 'a', [5])
      await next.caughtUp()
      assert.deepEqual([late.stales, late.entries], [1, []])
      assert.deepEqual(next.values, [5])
    },
  ],
  [
    'who follows from a place that is not in this log is told that it is stale',
    async (engine, test) => {
      const peer = await test.peer()
      const [cursor] = await appendAll(peer, 'a', [1])
      assert.ok(cursor !== undefined)
      const strangers = [
        new Listener(engine, 'a', cursor.replace(/1$/, '99')),
        new Listener(peer, 'nothing', cursor),
        new Listener(peer, 'a', 'elsewhere-1'),
      ]
      await until(() => strangers.every(({ stales }) => stales > 0), 'all are stale')
      assert.deepEqual(
        strangers.flatMap(({ entries }) => entries),
        [],
      )
    },
  ],
  [
    'entries of several megabytes, of none, and names of 512 bytes',
    async (engine, test) => {
      const peer = await test.peer()
      const name = `${'é'.repeat(255)}!!`
      const listener = new Listener(engine, name, null)
      const big = new Uint8Array(6 * 1024 * 1024).map((_, index) => index % 251)
      await peer.append(name, big)
      await peer.append(name, new Uint8Array(0))
      await peer.append(name, big)
      await listener.caughtUp()
      assert.deepEqual(
        listener.entries.map(({ update }) => update.length),
        [big.length, 0, big.length],
      )
      assert.equal(Buffer.compare(listener.entries[2]?.update ?? bytes(), big), 0)
    },
  ],
  [
    'a thousand documents are followed at once, each by itself',
    async (engine, test) => {
      const peer = await test.peer()
      const names = range(0, 1000).map((number) => `document-${String(number)}`)
      const listeners = names.map((name) => new Listener(engine, name, null))
      await Promise.all(names.map((name, index) => peer.append(name, bytes(index & 255, index >> 8))))
      await until(() => listeners.every(({ entries }) => entries.length > 0), 'every follower has its entry')
      for (const [index, { entries }] of listeners.entries()) {
        assert.deepEqual(
          entries.map(({ update }) => update),
          [bytes(index & 255, index >> 8)],
        )
      }
    },
  ],
  [
    'what a node has appended stays when the node is closed, and its subscriptions are silent',
    async (engine, test) => {
      const peer = await test.peer()
      const gone = new Listener(peer, 'a', null)
      const listener = new Listener(engine, 'a', null)
      await appendAll(peer, 'a', [1])
      await peer.close()
      await appendAll(engine, 'a', [2])
      await listener.caughtUp()
      assert.deepEqual(listener.values, [1])
      assert.deepEqual(gone.values, [])
    },
  ],
]
