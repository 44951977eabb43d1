import { measured } from '../load/measured.ts'
import type { Due } from '../load/schedule.ts'
import { clientId } from '../load/typists.ts'
import { MessageDecoder } from '../measure/decode.ts'
import { NumberList, randomFrom } from '../measure/numbers.ts'
import { usageOf } from '../measure/proc.ts'
import { Recorder, type Recorded } from '../measure/recorder.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { closeAll, connectAll, type Client } from '../wire/client.ts'
import { awarenessUpdate, greeting } from '../wire/dialect.ts'
import { check, generatorShare, type Outcome, type RunContext, type Scenario } from './scenario.ts'

const PEOPLE = 100
const MOVES_PER_SECOND = 10
const WARMUP_SECONDS = 2

/** A presence as an editor binding writes it: name, colour, two relative positions. About 250 bytes. */
function presence(person: number, move: number): string {
  const position = { type: null, tname: 'content', item: { client: clientId(person), clock: move }, assoc: 0 }
  const user = { name: `Person Number ${person}`, color: '#30bced', colorLight: '#30bced33' }
  return JSON.stringify({ user, cursor: { anchor: position, head: position }, move })
}

/** Moves count from 1, as their clocks do: clock 0 is what a client greets with. */
function schedule(clients: readonly Client[], moves: number, sentAt: Float64Array): Due[] {
  const random = randomFrom(2)
  return clients.flatMap((client, person) => {
    const phase = random()
    return Array.from({ length: moves }, (_, move) => {
      const frame = client.awarenessFrame(awarenessUpdate(clientId(person), move + 1, presence(person, move + 1)))
      return {
        at: ((move + phase) * 1000) / MOVES_PER_SECOND,
        run: () => {
          sentAt[person * moves + move] = performance.now()
          client.send(frame)
        },
      }
    })
  })
}

/** A server may leave out states that are overtaken: one that arrives stands for all before it. */
class Arrivals {
  /** Of the newest state in each frame. */
  readonly latencies = new NumberList()
  /** Moves covered after the warm-up: by that state or by a newer one. */
  delivered = 0
  private readonly moves: number
  private readonly sentAt: Float64Array
  private readonly personOf = new Map(Array.from({ length: PEOPLE }, (_, person) => [clientId(person), person]))
  /** By receiver and author: the newest move that has arrived. */
  private readonly newest = Array.from({ length: PEOPLE }, () => new Uint32Array(PEOPLE))

  constructor(moves: number, sentAt: Float64Array) {
    this.moves = moves
    this.sentAt = sentAt
  }

  /** Pairs of people whose last move never arrived. */
  get unfinished(): number {
    const behind = this.newest.map((mine) => mine.filter((move) => move < this.moves).length)
    // Nobody counts their own moves, so everybody is behind themselves.
    return behind.reduce((sum, count) => sum + count, 0) - PEOPLE
  }

  note({ receiver, time }: Recorded, client: number, move: number): void {
    const author = this.personOf.get(client)
    const mine = this.newest[receiver]
    if (author === undefined || mine === undefined || author === receiver) return
    const before = mine[author] ?? 0
    if (move <= before) return
    mine[author] = move
    const warmup = WARMUP_SECONDS * MOVES_PER_SECOND
    if (move <= warmup) return
    this.delivered += move - Math.max(warmup, before)
    this.latencies.add(time - (this.sentAt[author * this.moves + move - 1] ?? 0))
  }
}

async function run({ kind, directory, seconds, log }: RunContext): Promise<Outcome> {
  const moves = (WARMUP_SECONDS + seconds) * MOVES_PER_SECOND
  const sentAt = new Float64Array(PEOPLE * moves)
  const server = await ServerProcess.start(kind, directory)
  const recorder = new Recorder()
  const people = Array.from({ length: PEOPLE }, (_, number) => number)
  const clients = await connectAll(
    people.map((number) => ({ port: server.port, dialect: kind.dialect, document: 'cursors', recorder, number })),
  )
  for (const [number, client] of clients.entries()) client.send(client.awarenessFrame(greeting(clientId(number))))
  log(`${PEOPLE} connected, moving for ${WARMUP_SECONDS} + ${seconds} s`)
  const { before, after, generator } = await measured(() => usageOf(server.pid), {
    due: schedule(clients, moves, sentAt),
    warmupMs: WARMUP_SECONDS * 1000,
    lastTime: () => recorder.lastTime,
  })
  const lost = clients.filter((client) => client.closedBy !== null).length
  closeAll(clients)
  await server.stop()
  log(`decoding ${recorder.count} frames`)
  const arrivals = new Arrivals(moves, sentAt)
  const decoder = new MessageDecoder(kind.dialect)
  for (const recorded of recorder) {
    const decoded = decoder.decode(recorded)
    if (decoded.kind !== 'presence') continue
    for (const { client, from: move } of decoded.ranges) arrivals.note(recorded, client, move)
  }
  const { delivered, unfinished, latencies } = arrivals
  return {
    values: {
      cpu: ((after.cpuMs - before.cpuMs) * 1000) / delivered,
      p50: latencies.quantile(0.5),
      p99: latencies.quantile(0.99),
      generator,
    },
    checks: [
      check('everybody sees the last position of everybody', unfinished === 0, `${unfinished} pairs do not`),
      check('nobody was disconnected', lost === 0, `${lost} connections lost`),
    ],
  }
}

export const cursors: Scenario = {
  name: 'cursors',
  title: '100 people moving their cursors 10 times a second',
  seconds: 8,
  metrics: [
    {
      id: 'cpu',
      title: 'server CPU per delivered move',
      unit: 'µs',
      better: 'lower',
      targets: [{ kind: 'ratio', value: 0.12 }],
    },
    { id: 'p50', title: 'move to remote, p50', unit: 'ms', better: 'lower' },
    {
      id: 'p99',
      title: 'move to remote, p99',
      unit: 'ms',
      better: 'lower',
      targets: [{ kind: 'atMost', value: 50 }],
    },
    generatorShare,
  ],
  run,
}
