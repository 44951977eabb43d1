import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Cursor, Entry, Sink } from '../../server/engine/engine.ts'
import type { Followed } from '../../server/engine/redis/documentReader.ts'
import { Follower } from '../../server/engine/redis/follower.ts'
import { KeySpace } from '../../server/engine/redis/keys.ts'
import type { Said } from '../../server/engine/redis/message.ts'

const OWN = 'aa'
const FOREIGN = 'bb'

interface Logged {
  readonly cursor: Cursor
  readonly previous: Cursor | null
}

/** An append of ours that waits for its answer. */
interface Pending {
  readonly append: string
  readonly logged: Logged
}

/** What can happen; what cannot happen now is left out. */
const steps: Record<string, (world: World) => void> = {
  'foreign append': (world) => world.foreignAppend(),
  'own append': (world) => world.ownAppend(true),
  'own append in silence': (world) => world.ownAppend(false),
  'deliver message': (world) => world.deliver(),
  'lose message': (world) => void world.channel.shift(),
  'swap messages': (world) => void world.channel.push(...world.channel.splice(0, 1)),
  'answer append': (world) => world.answer(true),
  'lose answer': (world) => world.answer(false),
  'begin reading': (world) => world.beginReading(),
  'finish reading': (world) => world.endReading(false),
  'fail reading': (world) => world.endReading(true),
  'lose entries': (world) => world.loseEntries(),
  trim: (world) => void (world.trimmed = world.log.length),
  doubt: (world) => world.follower.doubt(),
}

/** A log, a channel that loses things, and one follower of them. */
class World implements Sink {
  readonly given: Entry[] = []
  /** Our own entries whose append succeeded, as far as whoever appended was told. */
  readonly told = new Set<Cursor>()
  readonly violations: string[] = []
  stales = 0
  log: Logged[] = []
  trimmed = 0
  damaged = false
  readonly follower: Follower
  readonly #everything = new Map<Cursor, Logged>()
  readonly channel: Said[] = []
  readonly #pending: Pending[] = []
  #appends = 0
  #wantsRead = false
  #reading: { readonly end: (result: Followed | 'lost' | Error) => void; readonly result: Followed | 'lost' } | null =
    null

  constructor() {
    this.follower = new Follower({
      keys: new KeySpace('').of('a'),
      node: OWN,
      after: null,
      sink: this,
      onVerified: () => undefined,
      wantRead: () => (this.#wantsRead = true),
      onLost: () => undefined,
      onEnd: () => undefined,
    })
  }

  get head(): Cursor | null {
    return this.log.at(-1)?.cursor ?? null
  }

  entry(entry: Entry): void {
    if (this.stales > 0) this.violations.push(`${entry.cursor} after it was stale`)
    const connects = this.#connects(this.#everything.get(entry.cursor)?.previous ?? null)
    if (!connects) this.violations.push(`${entry.cursor} after a hole`)
    this.given.push(entry)
  }

  message(): void {}
  left(): void {}
  stale(): void {
    this.stales += 1
  }

  async step(step: string): Promise<void> {
    steps[step]?.(this)
    await settle()
  }

  /** As after the first reading. */
  async begin(): Promise<void> {
    for (const step of ['doubt', 'begin reading', 'finish reading'] as const) await this.step(step)
  }

  /** The network works, everybody gets an answer, and the sweep comes round. */
  async heal(): Promise<void> {
    while (this.#pending.length > 0) await this.step('answer append')
    while (this.channel.length > 0) await this.step('deliver message')
    await this.step('fail reading')
    // As many as it takes to read a log by three entries at a time.
    for (let round = 0; round < this.log.length / 3 + 2; round++) await this.begin()
  }

  /** What the follower has to have been given, if everything in the log is known to it. */
  get strangers(): Cursor[] {
    return this.log.map(({ cursor }) => cursor).filter((cursor) => !this.told.has(cursor))
  }

  #next(): string {
    this.#appends += 1
    return this.#appends.toString(36)
  }

  #append(append: string): Logged {
    const sequence = this.log.length + 1
    const logged = { cursor: `1.${append}-${String(sequence)}`, previous: this.head }
    this.log.push(logged)
    this.#everything.set(logged.cursor, logged)
    return logged
  }

  /** @param said false: Redis counted nobody but us */
  ownAppend(said: boolean): void {
    const append = `${OWN}.${this.#next()}`
    this.follower.appending(append)
    const logged = this.#append(append)
    if (said) this.#say(logged)
    this.#pending.push({ append, logged })
  }

  foreignAppend(): void {
    this.#say(this.#append(`${FOREIGN}.${this.#next()}`))
  }

  loseEntries(): void {
    this.damaged ||= this.log.length > 0
    this.log = this.log.slice(0, -2)
    this.trimmed = Math.min(this.trimmed, this.log.length)
  }

  #say({ cursor, previous }: Logged): void {
    this.channel.push({ type: 'entry', cursor, previous, update: Uint8Array.of(1) })
  }

  deliver(): void {
    const said = this.channel.shift()
    if (said !== undefined) this.follower.heard(said)
  }

  answer(arrives: boolean): void {
    const pending = this.#pending.shift()
    if (pending === undefined) return
    const { append, logged } = pending
    if (arrives) this.follower.appended(logged.cursor, logged.previous)
    if (arrives || this.follower.appendFailed(append) !== null) this.told.add(logged.cursor)
  }

  beginReading(): void {
    if (!this.#wantsRead || this.#reading !== null) return
    this.#wantsRead = false
    void this.follower.read((after) => {
      const result = this.#read(after)
      return new Promise((resolve, reject) => {
        const end = (ended: Followed | 'lost' | Error): void =>
          ended instanceof Error ? reject(ended) : resolve(ended)
        this.#reading = { end, result }
      })
    })
  }

  endReading(fails: boolean): void {
    const reading = this.#reading
    this.#reading = null
    reading?.end(fails ? new Error('no answer') : reading.result)
  }

  #read(after: Cursor | null): Followed | 'lost' {
    const at = after === null ? -1 : this.log.findIndex(({ cursor }) => cursor === after)
    if (after !== null && at === -1) return 'lost'
    // Trimming keeps the last entry of the generation before.
    if (at + 1 < this.trimmed) return after === this.head ? { entries: [], more: false } : 'lost'
    const rest = this.log.slice(at + 1).map(({ cursor }) => ({ cursor, update: Uint8Array.of(1) }))
    return { entries: rest.slice(0, 3), more: rest.length > 3 }
  }

  /** True when nothing but entries of our own lies between `previous` and what was given last. */
  #connects(previous: Cursor | null): boolean {
    const last = this.given.at(-1)?.cursor ?? null
    for (let cursor = previous; cursor !== last; cursor = this.#everything.get(cursor)?.previous ?? null) {
      if (cursor === null || !cursor.includes(`.${OWN}.`)) return false
    }
    return true
  }
}

async function settle(): Promise<void> {
  for (let round = 0; round < 6; round++) await Promise.resolve()
}

test('whatever is lost, swapped or repeated, a follower has everything in the end, in order, or says that it is stale', async () => {
  const often = [
    'foreign append',
    'deliver message',
    'own append',
    'answer append',
    'begin reading',
    'finish reading',
  ] as const
  const step = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...often) }, fc.constantFrom(...Object.keys(steps)))
  const histories = fc.array(step, { maxLength: 60, size: 'max' })
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      const world = new World()
      await world.begin()
      for (const step of history) await world.step(step)
      await world.heal()
      expect(world.violations).toEqual([])
      if (world.stales > 0) {
        expect(world.stales).toBe(1)
        expect(world.damaged || world.trimmed > 0).toBe(true)
        return
      }
      expect(world.follower.position).toBe(world.head)
      const given = world.given.map(({ cursor }) => cursor)
      // Ours may have been given as well: heard of before it was known that the answer would not come.
      expect(given.filter((cursor) => !world.told.has(cursor))).toEqual(world.strangers)
    }),
    { numRuns: 3000 },
  )
})
