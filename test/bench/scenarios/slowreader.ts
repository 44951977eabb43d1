import * as Y from 'yjs'
import { documentUpdates, holds } from '../load/fetch.ts'
import { play, until, untilQuiet, type Due } from '../load/schedule.ts'
import { clientId, contentOf } from '../load/typists.ts'
import { randomFrom } from '../measure/numbers.ts'
import { MemoryWatch, OwnShare, settle } from '../measure/proc.ts'
import { Recorder } from '../measure/recorder.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { closeAll, connectAll, type Client, type ClientOptions } from '../wire/client.ts'
import { check, generatorShare, MIB, type Metric, type Outcome, type RunContext, type Scenario } from './scenario.ts'

const WRITERS = 2
const KEYS_PER_WRITER = 4
const TOTAL_BYTES = 160_000_000
const LEAST_BYTES = 64_000
const MOST_BYTES = 100_000
const CATCH_UP_LIMIT_MS = 30_000

/** Overwrites its own few map keys with large values: much traffic, small document. */
class Overwriter {
  readonly doc = new Y.Doc()
  private readonly client: Client
  private readonly name: string
  private readonly random: () => number
  private readonly material: string
  private writes = 0

  constructor(number: number, client: Client) {
    this.client = client
    this.name = `writer-${number}`
    this.random = randomFrom(number + 10)
    this.material = Array.from({ length: MOST_BYTES * 2 }, () => Math.floor(this.random() * 36).toString(36)).join('')
    this.doc.clientID = clientId(number)
    this.doc.on('update', (update: Uint8Array) => {
      this.client.send(this.client.updateFrame(update))
    })
  }

  write(): void {
    const from = Math.floor(this.random() * MOST_BYTES)
    const length = LEAST_BYTES + Math.floor(this.random() * (MOST_BYTES - LEAST_BYTES))
    const key = `${this.name}-${this.writes++ % KEYS_PER_WRITER}`
    this.doc.getMap('map').set(key, this.material.slice(from, from + length))
  }
}

interface Round {
  /** The most the server's RSS rose above where it was before the load, in bytes. */
  readonly growth: number
  /** The same at the end of the load, when everybody who reads has everything. */
  readonly growthAtEnd: number
  readonly catchUpMs: number
  readonly catchUpBytes: number
  readonly caughtUp: boolean
  readonly stored: boolean
}

interface Room {
  readonly server: ServerProcess
  readonly options: ClientOptions
  readonly clients: readonly Client[]
  readonly writers: readonly Overwriter[]
  readonly slow: Client
  readonly slowRecorder: Recorder
  readonly fastRecorder: Recorder
}

async function open(context: RunContext, name: string): Promise<Room> {
  const { kind } = context
  const server = await ServerProcess.start(kind, `${context.directory}/${name}`)
  const options = { port: server.port, dialect: kind.dialect, document: 'slow' }
  const slowRecorder = new Recorder()
  const fastRecorder = new Recorder()
  const clients = await connectAll([
    { ...options, recorder: slowRecorder },
    { ...options, recorder: fastRecorder },
    ...Array.from({ length: WRITERS }, () => options),
  ])
  const [slow] = clients
  if (slow === undefined) throw new Error('no client')
  const writers = clients.slice(2).map((client, number) => new Overwriter(number, client))
  return { server, options, clients, writers, slow, slowRecorder, fastRecorder }
}

function schedule(writers: readonly Overwriter[], seconds: number): Due[] {
  const writes = Math.round(TOTAL_BYTES / ((LEAST_BYTES + MOST_BYTES) / 2))
  return Array.from({ length: writes }, (_, at) => ({
    at: (at * seconds * 1000) / writes,
    run: () => {
      writers[at % writers.length]?.write()
    },
  }))
}

/** From the moment it reads again until it has the newest state of every key. */
async function catchUp(room: Room, expected: string): Promise<Pick<Round, 'caughtUp' | 'catchUpMs' | 'catchUpBytes'>> {
  const { slow, slowRecorder, options } = room
  const bytes = slow.bytesReceived
  const start = performance.now()
  slow.resume()
  let caughtUp = false
  let looked = -1
  await until(() => {
    if (slowRecorder.count === looked || performance.now() - slowRecorder.lastTime < 200) return false
    looked = slowRecorder.count
    caughtUp = contentOf(documentUpdates(slowRecorder, options)) === expected
    return caughtUp || slow.closedBy !== null
  }, CATCH_UP_LIMIT_MS)
  return { caughtUp, catchUpMs: slowRecorder.lastTime - start, catchUpBytes: slow.bytesReceived - bytes }
}

async function round(context: RunContext, stopsReading: boolean): Promise<Round> {
  const room = await open(context, stopsReading ? 'slow' : 'even')
  const { kind, seconds, log } = context
  const { writers, slow, clients, fastRecorder, options } = room
  await settle(room.server.pid, 600)
  if (stopsReading) slow.pause()
  const memory = new MemoryWatch(room.server.pid)
  await play(schedule(writers, seconds), performance.now())
  await untilQuiet(() => fastRecorder.lastTime, 1500)
  const growthAtEnd = memory.sample() - memory.start
  memory.stop()
  const expected = contentOf(writers.map(({ doc }) => Y.encodeStateAsUpdate(doc)))
  const caught = await catchUp(room, expected)
  closeAll(clients)
  log(`${stopsReading ? 'with' : 'without'} a slow reader: RSS +${Math.round((memory.max - memory.start) / MIB)} MiB`)
  await settle(room.server.pid, kind.quietMs)
  await room.server.stop()
  const again = await room.server.restart()
  const stored = await holds(options, expected)
  await again.stop()
  return { growth: memory.max - memory.start, growthAtEnd, ...caught, stored }
}

async function run(context: RunContext): Promise<Outcome> {
  const own = new OwnShare()
  const even = await round(context, false)
  const slow = await round(context, true)
  return {
    values: {
      growth: (slow.growth - even.growth) / MIB,
      growthAtEnd: (slow.growthAtEnd - even.growthAtEnd) / MIB,
      even: even.growth / MIB,
      slow: slow.growth / MIB,
      catchUpMs: slow.catchUpMs,
      catchUpBytes: slow.catchUpBytes / MIB,
      generator: own.share(),
    },
    checks: [
      check('without a slow reader everybody has everything', even.caughtUp),
      check('the slow reader is caught up after it reads again', slow.caughtUp),
      check('stored state after a restart', even.stored && slow.stored),
    ],
  }
}

const metrics: readonly Metric[] = [
  {
    id: 'growth',
    title: 'RSS a slow reader adds: highest during the load',
    unit: 'MiB',
    better: 'lower',
    targets: [{ kind: 'atMost', value: 16 }],
  },
  { id: 'growthAtEnd', title: 'RSS a slow reader adds: at the end of the load', unit: 'MiB', better: 'lower' },
  { id: 'even', title: 'RSS growth when everybody reads', unit: 'MiB', better: 'lower' },
  { id: 'slow', title: 'RSS growth when one does not', unit: 'MiB', better: 'lower' },
  { id: 'catchUpBytes', title: 'received to be caught up', unit: 'MiB', better: 'lower' },
  { id: 'catchUpMs', title: 'time to be caught up', unit: 'ms', better: 'lower' },
  generatorShare,
]

export const slowreader: Scenario = {
  name: 'slowreader',
  title: 'a reader stops reading while others write 160 MB into a small document',
  seconds: 8,
  metrics,
  run,
}
