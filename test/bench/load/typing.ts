import { Recorder, type Recorded } from '../measure/recorder.ts'
import { MessageDecoder, type Range } from '../measure/decode.ts'
import { NumberList, randomFrom } from '../measure/numbers.ts'
import { settle } from '../measure/proc.ts'
import { check, MIB, type Check, type RunContext } from '../scenarios/scenario.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { closeAll, connectAll, type Client } from '../wire/client.ts'
import { forEachAtOnce, holds } from './fetch.ts'
import { measured } from './measured.ts'
import type { Due } from './schedule.ts'
import { clientId, contentOf, typedUpdates } from './typists.ts'

export interface TypingPlan {
  readonly rooms: number
  /** In each room; all of them type. */
  readonly people: number
  readonly editsPerSecond: number
  /** Typed before the clock starts, so that code is compiled and caches are warm. */
  readonly warmupSeconds: number
  /** Content each room has before anybody types. */
  readonly preload?: Uint8Array
}

export interface TypingResult {
  /** Edits typed while the clock ran. */
  readonly edits: number
  /** (edit, receiver) pairs delivered while the clock ran; the author does not count. */
  readonly delivered: number
  readonly missing: number
  readonly p50: number
  readonly p99: number
  readonly serverCpuMs: number
  /** While everybody is connected, at the end. */
  readonly rssMib: number
  readonly generator: number
  readonly checks: readonly Check[]
}

/** Everybody's edits, made beforehand, and when each was sent. */
interface Script {
  readonly perPerson: number
  readonly warmupEdits: number
  readonly updates: readonly (readonly Uint8Array[])[]
  /** Indexed person × perPerson + edit. */
  readonly sentAt: Float64Array
}

const ROOM_PATIENCE_MS = 8000

function write({ rooms, people, editsPerSecond, warmupSeconds }: TypingPlan, seconds: number): Script {
  const warmupEdits = Math.round(editsPerSecond * warmupSeconds)
  const perPerson = warmupEdits + Math.round(editsPerSecond * seconds)
  const updates = Array.from({ length: rooms * people }, (_, person) => typedUpdates(person, perPerson))
  return { perPerson, warmupEdits, updates, sentAt: new Float64Array(updates.length * perPerson) }
}

/** Nobody types like a metronome: each edit comes at a random moment of its interval. */
function schedule(script: Script, clients: readonly Client[], editsPerSecond: number): Due[] {
  const random = randomFrom(1)
  return clients.flatMap((client, person) =>
    (script.updates[person] ?? []).map((update, k) => {
      const frame = client.updateFrame(update)
      return {
        at: ((k + random()) * 1000) / editsPerSecond,
        run: () => {
          script.sentAt[person * script.perPerson + k] = performance.now()
          client.send(frame)
        },
      }
    }),
  )
}

/** Which edit has reached whom, and how long it took: every (edit, receiver) pair. */
class Arrivals {
  readonly latencies = new NumberList()
  private readonly script: Script
  private readonly people: number
  private readonly personOf: ReadonlyMap<number, number>
  /** By receiver: one byte for each edit of its room. */
  private readonly seen: readonly Uint8Array[]
  private pairs = 0

  constructor(script: Script, people: number) {
    this.script = script
    this.people = people
    this.personOf = new Map(script.updates.map((_, person) => [clientId(person), person]))
    this.seen = script.updates.map(() => new Uint8Array(people * script.perPerson))
  }

  get missing(): number {
    return this.script.updates.length * this.script.perPerson * (this.people - 1) - this.pairs
  }

  note({ receiver, time }: Recorded, { client, from, to }: Range): void {
    const author = this.personOf.get(client)
    const mine = this.seen[receiver]
    if (author === undefined || mine === undefined || author === receiver) return
    const { perPerson, warmupEdits, sentAt } = this.script
    for (let k = from; k < to; k++) {
      const at = (author % this.people) * perPerson + k
      if (mine[at] === 1) continue
      mine[at] = 1
      this.pairs++
      if (k >= warmupEdits) this.latencies.add(time - (sentAt[author * perPerson + k] ?? 0))
    }
  }
}

function arrivalsIn(recorder: Recorder, script: Script, people: number, decoder: MessageDecoder): Arrivals {
  const arrivals = new Arrivals(script, people)
  for (const recorded of recorder) {
    const { kind, ranges } = decoder.decode(recorded)
    if (kind !== 'document') continue
    for (const range of ranges) arrivals.note(recorded, range)
  }
  return arrivals
}

async function checkStored(
  context: RunContext,
  server: ServerProcess,
  plan: TypingPlan,
  script: Script,
): Promise<Check> {
  const { kind } = context
  const rooms = Array.from({ length: plan.rooms }, (_, room) => room)
  const wrong: number[] = []
  await forEachAtOnce(rooms, 16, async (room) => {
    const typed = script.updates.slice(room * plan.people, (room + 1) * plan.people).flat()
    const expected = contentOf(plan.preload === undefined ? typed : [plan.preload, ...typed])
    const options = { port: server.port, dialect: kind.dialect, document: `room-${room}` }
    if (!(await holds(options, expected, ROOM_PATIENCE_MS))) wrong.push(room)
  })
  return check('stored state after a restart', wrong.length === 0, `${wrong.length} of ${plan.rooms} documents differ`)
}

async function preload(server: ServerProcess, plan: TypingPlan): Promise<void> {
  const update = plan.preload
  if (update === undefined) return
  const rooms = Array.from({ length: plan.rooms }, (_, room) => `room-${room}`)
  const { dialect } = server.kind
  const clients = await connectAll(rooms.map((document) => ({ port: server.port, dialect, document })))
  for (const client of clients) client.send(client.updateFrame(update))
  closeAll(clients)
  await settle(server.pid, server.kind.quietMs)
}

/** Connects everybody, lets them type, stops the clock, and only then looks at what arrived. */
export async function typing(context: RunContext, plan: TypingPlan): Promise<TypingResult> {
  const { kind, seconds, log } = context
  log('preparing edits')
  const script = write(plan, seconds)
  let server = await ServerProcess.start(kind, context.directory)
  await preload(server, plan)
  const recorder = new Recorder()
  const clients = await connectAll(
    script.updates.map((_, person) => ({
      port: server.port,
      dialect: kind.dialect,
      document: `room-${Math.floor(person / plan.people)}`,
      recorder,
      number: person,
    })),
  )
  log(`${clients.length} connected, typing for ${plan.warmupSeconds} + ${seconds} s`)

  const { serverCpuMs, rss, generator, latest } = await measured(server.pid, {
    due: schedule(script, clients, plan.editsPerSecond),
    warmupMs: plan.warmupSeconds * 1000,
    lastTime: () => recorder.lastTime,
  })
  const lost = clients.filter((client) => client.closedBy !== null).length

  closeAll(clients)
  log(
    `decoding ${recorder.count} frames (${Math.round(recorder.bytes / MIB)} MiB); generator at most ${latest.toFixed(0)} ms late`,
  )
  const { missing, latencies } = arrivalsIn(recorder, script, plan.people, new MessageDecoder(kind.dialect))
  log('restarting and comparing what is stored')
  await settle(server.pid, kind.quietMs)
  await server.stop()
  server = await server.restart()
  const stored = await checkStored(context, server, plan, script)
  await server.stop()

  return {
    edits: script.updates.length * (script.perPerson - script.warmupEdits),
    delivered: latencies.count,
    missing,
    p50: latencies.quantile(0.5),
    p99: latencies.quantile(0.99),
    serverCpuMs,
    rssMib: rss / MIB,
    generator,
    checks: [
      check('every edit reached everybody', missing === 0, `${missing} (edit, receiver) pairs missing`),
      check('nobody was disconnected', lost === 0, `${lost} connections lost`),
      stored,
    ],
  }
}
