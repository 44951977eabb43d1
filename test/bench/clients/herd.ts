import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../load/schedule.ts'
import type { ClientName } from './clientName.ts'
import { EDITS, editKey, herdRoom, type Attempt, type HerdCommand, type HerdReport } from './herdMessages.ts'
import { LightSocket } from './lightSocket.ts'
import { loadProvider, type Opened, type SocketClass } from './provider.ts'

/** Many providers in one process. */
process.setMaxListeners(0) // y-websocket adds one for each document

/** Handshakes under way at the beginning. */
const AT_ONCE = 64
const open = await loadProvider(process.argv[2] as ClientName)
const herd: Opened[] = []
let first = 0
let attempts: Attempt[] = []
let counts = new Map<number, number>()

function now(): number {
  return performance.timeOrigin + performance.now()
}

/** A class for one provider, which notes whenever it is used. */
function notingSocket(provider: number): SocketClass {
  return class extends LightSocket {
    constructor(url: string) {
      super(url)
      const before = counts.get(provider) ?? 0
      counts.set(provider, before + 1)
      attempts.push({ at: now(), before })
    }
  }
}

async function openAll({ url, count, ...command }: Extract<HerdCommand, { type: 'open' }>): Promise<void> {
  first = command.first
  while (herd.length < count) {
    const from = first + herd.length
    const size = Math.min(AT_ONCE, count - herd.length)
    const numbers = Array.from({ length: size }, (_, index) => from + index)
    const batch = numbers.map((number) => open(url, herdRoom(number), notingSocket(number)))
    herd.push(...batch)
    await Promise.all(batch.map((one) => one.whenSynced()))
  }
}

function edit(name: string): void {
  for (const [index, { doc }] of herd.entries()) doc.getMap(EDITS).set(editKey(first + index, name), true)
}

function note(): void {
  attempts = []
  counts = new Map()
}

async function wait(limitMs: number): Promise<HerdReport> {
  const isDone = await until(() => herd.every(({ isSynced }) => isSynced), limitMs)
  const syncedAt = isDone ? now() : null
  await delay(500) // those that connect twice would show
  return { syncedAt, attempts }
}

async function run(command: HerdCommand): Promise<HerdReport> {
  if (command.type === 'wait') return wait(command.limitMs)
  if (command.type === 'open') await openAll(command)
  else if (command.type === 'edit') edit(command.name)
  else note()
  return { syncedAt: null, attempts: [] }
}

process.on('disconnect', () => process.exit(0))
process.on('message', (command: HerdCommand) => {
  run(command).then(
    (report) => process.send?.(report),
    () => process.exit(1),
  )
})
