import { Recorder } from '../measure/recorder.ts'
import { check, type Check, type RunContext } from '../scenarios/scenario.ts'
import { Cluster, type ClusterUsage } from '../servers/cluster.ts'
import { RedisMonitor, type RedisTraffic } from '../servers/redisMonitor.ts'
import { closeAll, connectAll } from '../wire/client.ts'
import { holds } from './fetch.ts'
import { measured } from './measured.ts'
import { play, untilQuiet } from './schedule.ts'
import { missingIn, schedule, typedIn, writeScript, type OnLatency, type Script, type ScriptPlan } from './script.ts'
import { contentOf } from './typists.ts'

export interface ClusterPlan extends ScriptPlan {
  readonly nodes: number
  /** Which node a person is connected to. */
  readonly nodeOf: (person: number) => number
  /** Typed after the clock has stopped, while what passes through Redis is counted; 0: nothing is counted. */
  readonly countedSeconds: number
}

export interface ClusterResult {
  /** Typed while the clock ran. */
  readonly edits: number
  readonly before: ClusterUsage
  readonly after: ClusterUsage
  /** Typed while the traffic was counted. */
  readonly countedEdits: number
  readonly traffic: RedisTraffic
  readonly generator: number
  readonly checks: readonly Check[]
}

const QUIET_MS = 700
const PATIENCE_MS = 8000

/** A newcomer on each node is given everything that was typed in a room. */
async function checkNewcomers(cluster: Cluster, script: Script): Promise<Check> {
  const rooms = Math.min(script.plan.rooms, 10)
  let wrong = 0
  for (let room = 0; room < rooms; room++) {
    const expected = contentOf(typedIn(script, room))
    for (const { port, kind } of cluster.nodes) {
      const options = { port, dialect: kind.dialect, document: `room-${room}` }
      if (!(await holds(options, expected, PATIENCE_MS))) wrong++
    }
  }
  const asked = rooms * cluster.nodes.length
  return check('a newcomer on each node is given everything', wrong === 0, `${wrong} of ${asked} are not`)
}

/** As `typing`, with nodes around a Redis: connects everybody, lets them type, and looks at what arrived afterwards. */
export async function clusterTyping(
  context: RunContext,
  plan: ClusterPlan,
  onLatency: OnLatency,
): Promise<ClusterResult> {
  const { kind, seconds, log } = context
  const { warmupSeconds, countedSeconds, rooms, people, editsPerSecond } = plan
  const script = writeScript(plan, seconds + countedSeconds)
  const cluster = await Cluster.start(kind, context.directory, plan.nodes)
  const recorder = new Recorder()
  const clients = await connectAll(
    script.updates.map((_, number) => ({
      port: cluster.port(plan.nodeOf(number)),
      dialect: kind.dialect,
      document: `room-${Math.floor(number / people)}`,
      recorder,
      number,
    })),
  )
  log(`${clients.length} connected to ${plan.nodes} nodes, typing for ${warmupSeconds} + ${seconds} s`)
  const due = schedule(script, clients)
  const stopMs = (warmupSeconds + seconds) * 1000
  const { before, after, generator } = await measured(() => cluster.usage(), {
    due: due.filter(({ at }) => at < stopMs),
    warmupMs: warmupSeconds * 1000,
    lastTime: () => recorder.lastTime,
  })
  const monitor = await RedisMonitor.start(cluster.redis)
  const rest = due.filter(({ at }) => at >= stopMs)
  await play(rest, performance.now() - stopMs)
  await untilQuiet(() => recorder.lastTime, QUIET_MS)
  const traffic = await monitor.stop()
  const lost = clients.filter((client) => client.closedBy !== null).length
  log(`comparing what arrived: ${recorder.count} frames`)
  const missing = missingIn(recorder, script, kind.dialect, onLatency)
  const newcomers = await checkNewcomers(cluster, script)
  closeAll(clients)
  await cluster.stop()
  return {
    edits: rooms * people * editsPerSecond * seconds,
    before,
    after,
    countedEdits: rest.length,
    traffic,
    generator,
    checks: [
      check('every edit reached everybody', missing === 0, `${missing} (edit, receiver) pairs missing`),
      check('nobody was disconnected', lost === 0, `${lost} connections lost`),
      newcomers,
    ],
  }
}
