import { setTimeout as delay } from 'node:timers/promises'
import { updateRanges } from '../measure/decode.ts'
import { OwnShare, usageOf } from '../measure/proc.ts'
import { check, type Check, type RunContext } from '../scenarios/scenario.ts'
import type { ServerKind } from '../servers/serverKind.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { closeAll, connectAll, type Client } from '../wire/client.ts'
import { fetchUpdates, forEachAtOnce } from './fetch.ts'
import { until } from './schedule.ts'
import { clientId } from './typists.ts'

export interface Supply {
  /** Each room's edits in chunks of `perChunk` messages; room number and author number are the same. */
  readonly rooms: readonly (readonly Buffer[])[]
  readonly perChunk: number
  /** Edits of a room under way at most: enough that the server never waits for work, few enough to be through at the end. */
  readonly window: number
}

export interface PourResult {
  /** Edits that reached the reader of their room, per second. */
  readonly delivered: number
  /** Cores the server's processes used. */
  readonly serverCores: number
  /** Share of a core this process used. */
  readonly generator: number
  readonly checks: readonly Check[]
}

const WARMUP_SECONDS = 2
const PATIENCE_MS = 60_000

export function documentOf(room: number): string {
  return `pour-${room}`
}

/** One writes as fast as the other reads: a room that always has work for the server. */
class Room {
  private readonly number: number
  private readonly chunks: readonly Buffer[]
  private readonly perChunk: number
  /** Edits that may be under way when another chunk is sent. */
  private readonly most: number
  private writer: Client | null = null
  private next = 0
  private stopped = false
  /** Edits the reader has, without a gap. */
  received = 0
  /** The reader was given an edit before one that comes earlier. */
  gap = false

  constructor(number: number, supply: Supply) {
    this.number = number
    this.chunks = supply.rooms[number] ?? []
    this.perChunk = supply.perChunk
    this.most = supply.window - supply.perChunk
  }

  get sent(): number {
    return this.next * this.perChunk
  }

  /** All there was is sent: from now on the room may be waiting for us. */
  get isDry(): boolean {
    return this.next === this.chunks.length
  }

  start(writer: Client): void {
    this.writer = writer
    this.pump()
  }

  stop(): void {
    this.stopped = true
  }

  readonly onUpdate = (update: Uint8Array): void => {
    for (const { client, from, to } of updateRanges(update)) {
      if (client !== clientId(this.number)) continue
      this.gap ||= from > this.received
      this.received = Math.max(this.received, to)
    }
    this.pump()
  }

  private pump(): void {
    const { writer } = this
    if (writer === null) return
    while (!this.stopped && this.sent - this.received <= this.most) {
      const chunk = this.chunks[this.next]
      if (chunk === undefined) return
      this.next++
      writer.send(chunk)
    }
  }
}

function sum(rooms: readonly Room[]): number {
  return rooms.reduce((total, { received }) => total + received, 0)
}

async function checkStored(server: ServerProcess, rooms: readonly Room[]): Promise<Check> {
  let wrong = 0
  await forEachAtOnce([...rooms.keys()], 8, async (number) => {
    const complete = (updates: readonly Uint8Array[]): boolean => {
      const ranges = updates.flatMap(updateRanges).filter(({ client }) => client === clientId(number))
      const stored = ranges
        .sort((a, b) => a.from - b.from)
        .reduce((end, { from, to }) => (from > end ? end : Math.max(end, to)), 0)
      return stored >= (rooms[number]?.sent ?? 0)
    }
    const options = { port: server.port, dialect: server.kind.dialect, document: documentOf(number) }
    if (!complete(await fetchUpdates(options, complete))) wrong++
  })
  return check('stored state after a restart', wrong === 0, `${wrong} of ${rooms.length} documents differ`)
}

/** Keeps a server as busy as it gets, and counts what it delivers. */
export async function pour(
  { directory, seconds, log }: RunContext,
  kind: ServerKind,
  supply: Supply,
): Promise<PourResult> {
  let server = await ServerProcess.start(kind, directory)
  const rooms = supply.rooms.map((_, number) => new Room(number, supply))
  const common = { port: server.port, dialect: kind.dialect }
  const readers = await connectAll(
    rooms.map(({ onUpdate }, number) => ({ ...common, document: documentOf(number), onUpdate })),
  )
  const writers = await connectAll(rooms.map((_, number) => ({ ...common, document: documentOf(number) })))
  for (const [number, writer] of writers.entries()) rooms[number]?.start(writer)
  await delay(WARMUP_SECONDS * 1000)
  const [before, had, own] = [usageOf(server.pid).cpuMs, sum(rooms), new OwnShare()]
  const start = performance.now()
  await delay(seconds * 1000)
  const [after, has, generator] = [usageOf(server.pid).cpuMs, sum(rooms), own.share()]
  const elapsed = performance.now() - start
  const dry = rooms.filter(({ isDry }) => isDry).length
  for (const room of rooms) room.stop()
  const all = await until(() => rooms.every(({ sent, received }) => received === sent), PATIENCE_MS)
  const clients = [...readers, ...writers]
  const lost = clients.filter(({ closedBy }) => closedBy !== null).length
  closeAll(clients)
  log(`${Math.round(((has - had) * 1000) / elapsed)} edits/s delivered; restarting and comparing what is stored`)
  await server.stop()
  server = await server.restart()
  const stored = await checkStored(server, rooms)
  await server.stop()
  return {
    delivered: ((has - had) * 1000) / elapsed,
    serverCores: (after - before) / elapsed,
    generator,
    checks: [
      check('every edit reached the reader, in order', all && rooms.every(({ gap }) => !gap)),
      check('there was always more to send', dry === 0, `${dry} of ${rooms.length} rooms ran dry`),
      check('nobody was disconnected', lost === 0, `${lost} connections lost`),
      stored,
    ],
  }
}
