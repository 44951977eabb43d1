import { NumberList } from '../measure/numbers.ts'
import { settle, usageOf } from '../measure/proc.ts'
import { Recorder } from '../measure/recorder.ts'
import { check, MIB, type Check, type RunContext } from '../scenarios/scenario.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { closeAll, connectAll } from '../wire/client.ts'
import { forEachAtOnce, holds } from './fetch.ts'
import { measured } from './measured.ts'
import { missingIn, schedule, typedIn, writeScript, type Script, type ScriptPlan } from './script.ts'
import { contentOf } from './typists.ts'

export interface TypingPlan extends ScriptPlan {
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

const ROOM_PATIENCE_MS = 8000

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
    const typed = typedIn(script, room)
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
  const script = writeScript(plan, seconds)
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

  const { before, after, generator, latest } = await measured(() => usageOf(server.pid), {
    due: schedule(script, clients),
    warmupMs: plan.warmupSeconds * 1000,
    lastTime: () => recorder.lastTime,
  })
  const lost = clients.filter((client) => client.closedBy !== null).length

  closeAll(clients)
  log(
    `decoding ${recorder.count} frames (${Math.round(recorder.bytes / MIB)} MiB); generator at most ${latest.toFixed(0)} ms late`,
  )
  const latencies = new NumberList()
  const missing = missingIn(recorder, script, kind.dialect, (milliseconds) => {
    latencies.add(milliseconds)
  })
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
    serverCpuMs: after.cpuMs - before.cpuMs,
    rssMib: after.rss / MIB,
    generator,
    checks: [
      check('every edit reached everybody', missing === 0, `${missing} (edit, receiver) pairs missing`),
      check('nobody was disconnected', lost === 0, `${lost} connections lost`),
      stored,
    ],
  }
}
