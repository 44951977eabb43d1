import { setTimeout as delay } from 'node:timers/promises'
import { fetchUpdates, forEachAtOnce } from '../load/fetch.ts'
import { play, until, type Due } from '../load/schedule.ts'
import { clientId, typedUpdates } from '../load/typists.ts'
import { MessageDecoder, updateRanges, type Range } from '../measure/decode.ts'
import { randomFrom } from '../measure/numbers.ts'
import { OwnShare } from '../measure/proc.ts'
import { Recorder } from '../measure/recorder.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { connectAll, type Client } from '../wire/client.ts'
import { check, generatorShare, type Metric, type Outcome, type RunContext, type Scenario } from './scenario.ts'

/** Edits per second, over all rooms. */
const RATES = [600, 7000, 18_000] as const
const ROOMS = 10
const PATIENCE_MS = 5000

interface Loss {
  /** Edits that another client had received. */
  readonly seen: number
  readonly seenAndGone: number
  /** Edits whose author had received them back. */
  readonly echoedAndGone: number
}

function addClocks(clocks: Set<number>, ranges: readonly Range[], writer: number): void {
  for (const { client, from, to } of ranges) {
    if (client !== writer) continue
    for (let k = from; k < to; k++) clocks.add(k)
  }
}

/** Which edits of each room's writer have reached the writer (even numbers) and the observer (odd numbers). */
function received(recorder: Recorder, decoder: MessageDecoder): Map<number, Set<number>> {
  const clocks = new Map<number, Set<number>>()
  for (const recorded of recorder) {
    const mine = clocks.get(recorded.receiver) ?? new Set<number>()
    clocks.set(recorded.receiver, mine)
    const writer = clientId(Math.floor(recorded.receiver / 2))
    addClocks(mine, decoder.decode(recorded).ranges, writer)
  }
  return clocks
}

function storedClocks(updates: readonly Uint8Array[], writer: number): Set<number> {
  const stored = new Set<number>()
  for (const update of updates) addClocks(stored, updateRanges(update), writer)
  return stored
}

function gone(had: ReadonlySet<number>, stored: ReadonlySet<number>): number {
  return [...had].filter((k) => !stored.has(k)).length
}

async function compare(server: ServerProcess, recorder: Recorder): Promise<Loss> {
  const { dialect } = server.kind
  const clocks = received(recorder, new MessageDecoder(dialect))
  let loss: Loss = { seen: 0, seenAndGone: 0, echoedAndGone: 0 }
  const rooms = Array.from({ length: ROOMS }, (_, room) => room)
  await forEachAtOnce(rooms, ROOMS, async (room) => {
    const echoed = clocks.get(room * 2) ?? new Set()
    const seen = clocks.get(room * 2 + 1) ?? new Set()
    const options = { port: server.port, dialect, document: `kill-${room}` }
    const complete = (updates: readonly Uint8Array[]): boolean => {
      const stored = storedClocks(updates, clientId(room))
      return gone(seen, stored) + gone(echoed, stored) === 0
    }
    const stored = storedClocks(await fetchUpdates(options, complete, PATIENCE_MS), clientId(room))
    loss = {
      seen: loss.seen + seen.size,
      seenAndGone: loss.seenAndGone + gone(seen, stored),
      echoedAndGone: loss.echoedAndGone + gone(echoed, stored),
    }
  })
  return loss
}

function schedule(clients: readonly Client[], rate: number, seconds: number): Due[] {
  const random = randomFrom(rate)
  const perRoom = Math.round((rate * seconds) / ROOMS)
  return Array.from({ length: ROOMS }, (_, room) => room).flatMap((room) => {
    const writer = clients[room * 2]
    return typedUpdates(room, perRoom).map((update, k) => {
      const frame = writer?.updateFrame(update)
      const at = ((k + random()) * seconds * 1000) / perRoom
      return {
        at,
        run: () => {
          if (frame !== undefined) writer?.send(frame)
        },
      }
    })
  })
}

async function killUnder(rate: number, context: RunContext): Promise<Loss> {
  const { kind, seconds, log } = context
  let server = await ServerProcess.start(kind, `${context.directory}/${rate}`)
  const recorder = new Recorder()
  const clients = await connectAll(
    Array.from({ length: ROOMS * 2 }, (_, number) => ({
      port: server.port,
      dialect: kind.dialect,
      document: `kill-${Math.floor(number / 2)}`,
      recorder,
      number,
    })),
  )
  const killAt = seconds * 1000 * (0.75 + 0.2 * randomFrom(Date.now())())
  const due = schedule(clients, rate, seconds).filter((one) => one.at < killAt + 200)
  const killed = delay(killAt).then(() => server.kill())
  await Promise.all([play(due, performance.now()), killed])
  // What had left the server still arrives; then every socket ends.
  await until(() => clients.every((client) => client.closedBy !== null), 5000)
  server = await server.restart()
  const loss = await compare(server, recorder)
  await server.stop()
  log(`${rate} edits/s: ${loss.seen} seen by others, ${loss.seenAndGone} of them gone`)
  return loss
}

async function run(context: RunContext): Promise<Outcome> {
  const own = new OwnShare()
  const values: Record<string, number> = {}
  const checks = []
  for (const rate of RATES) {
    const loss = await killUnder(rate, context)
    values[`seen${rate}`] = loss.seen
    values[`gone${rate}`] = loss.seenAndGone
    checks.push(
      check(`the load was seen by others at ${rate} edits/s`, loss.seen > 0),
      check(`seen means saved at ${rate} edits/s`, loss.seenAndGone === 0, `${loss.seenAndGone} of ${loss.seen} gone`),
      check(`echoed means saved at ${rate} edits/s`, loss.echoedAndGone === 0, `${loss.echoedAndGone} gone`),
    )
  }
  return { values: { ...values, generator: own.share() }, checks }
}

const metrics: readonly Metric[] = [
  ...RATES.flatMap((rate): Metric[] => [
    { id: `seen${rate}`, title: `${rate} edits/s: edits others had seen`, unit: '', better: 'higher' },
    {
      id: `gone${rate}`,
      title: `${rate} edits/s: of these, gone after the restart`,
      unit: '',
      better: 'lower',
      targets: [{ kind: 'atMost', value: 0 }],
    },
  ]),
  generatorShare,
]

export const kill: Scenario = {
  name: 'kill',
  title: 'kill -9 under load: ten rooms, in each one writer and one observer',
  seconds: 3,
  metrics,
  run,
}
