import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import { TEXT, typedUpdates } from '../load/typists.ts'
import type { SubjectName } from './clientName.ts'
import { CountingSocket, type Traffic } from './countingSocket.ts'
import { fullDocument } from './fullDocument.ts'
import { loadProvider, type Opened } from './provider.ts'
import type { Command, FromSubject, Reading, Task } from './subjectMessages.ts'

/** Until the talk at the start of a connection is over. */
const SETTLE_MS = 300
/** What follows from an edit, our client's question whether it is saved included, is over by then. */
const TAIL_MS = 700
/** The same after "synced". */
const OPEN_TAIL_MS = 20
const nothing: Traffic = { bytesOut: 0, bytesIn: 0, framesOut: 0, framesIn: 0 }

const name = process.argv[2] as SubjectName
const open = await loadProvider(name, CountingSocket)
const isAlone = name === 'none'

function tell(message: FromSubject): void {
  process.send?.(message)
}

function trafficNow(): Traffic {
  return isAlone ? nothing : (CountingSocket.last?.traffic ?? nothing)
}

/** CPU and traffic of `work`. */
async function measure(work: () => Promise<unknown>): Promise<Reading> {
  globalThis.gc?.() // what others have left is not ours to pay for
  await delay(1)
  const before = trafficNow()
  const start = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(start)
  const after = trafficNow()
  return {
    cpu: user + system,
    bytesOut: after.bytesOut - before.bytesOut,
    bytesIn: after.bytesIn - before.bytesIn,
    framesOut: after.framesOut - before.framesOut,
    framesIn: after.framesIn - before.framesIn,
    times: [],
  }
}

async function write({ doc, awareness }: Opened, task: Extract<Task, { type: 'write' }>): Promise<void> {
  const text = doc.getText(TEXT)
  for (let turn = 0; turn < task.turns; turn++) {
    for (let edit = 0; edit < task.perTurn; edit++) {
      text.insert(text.length, 'e')
      if (task.hasCursor) awareness.setLocalStateField('cursor', { anchor: text.length, head: text.length })
    }
    await delay(task.everyMs)
  }
  await delay(TAIL_MS)
}

/** Alone, the updates come from a timer rather than from a socket. */
async function readAlone(doc: Y.Doc, { edits, everyMs }: Extract<Task, { type: 'read' }>): Promise<void> {
  for (const update of typedUpdates(0, edits)) {
    Y.applyUpdate(doc, update, open)
    await delay(everyMs)
  }
  await delay(TAIL_MS)
}

async function read({ doc }: Opened, task: Extract<Task, { type: 'read' }>): Promise<void> {
  if (isAlone) return readAlone(doc, task)
  const text = doc.getText(TEXT)
  const all = new Promise<void>((resolve) => {
    doc.on('update', () => void (text.length >= task.edits && resolve()))
  })
  tell({ type: 'ready' })
  await all
  await delay(TAIL_MS)
}

async function inOneDocument({ url, room, task }: Command): Promise<Reading> {
  const opened = open(url, room)
  await opened.whenSynced()
  await delay(SETTLE_MS)
  const reading = await measure(() => {
    if (task.type === 'write') return write(opened, task)
    return task.type === 'read' ? read(opened, task) : Promise.resolve()
  })
  opened.destroy()
  return reading
}

async function openMany({ url, room }: Command, task: Extract<Task, { type: 'open' }>): Promise<Reading> {
  const times: number[] = []
  let cpu = 0
  let traffic = nothing
  const state = task.content === 'full' && isAlone ? fullDocument() : null
  for (let time = 0; time < task.times; time++) {
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    const opened = open(url, task.content === 'full' ? room : `${room}-${time}`)
    await opened.whenSynced()
    if (state !== null) Y.applyUpdate(opened.doc, state)
    times.push(performance.now() - start)
    await delay(OPEN_TAIL_MS)
    const { user, system } = process.cpuUsage(cpuBefore)
    cpu += user + system
    traffic = sum(traffic, trafficNow())
    opened.destroy()
    await delay(OPEN_TAIL_MS)
  }
  return { cpu, ...traffic, times }
}

function sum(one: Traffic, other: Traffic): Traffic {
  return {
    bytesOut: one.bytesOut + other.bytesOut,
    bytesIn: one.bytesIn + other.bytesIn,
    framesOut: one.framesOut + other.framesOut,
    framesIn: one.framesIn + other.framesIn,
  }
}

process.on('disconnect', () => process.exit(0))
process.on('message', (command: Command) => {
  const { task } = command
  const result = task.type === 'open' ? openMany(command, task) : inOneDocument(command)
  result.then(
    (reading) => tell({ type: 'done', reading }),
    (error: unknown) => tell({ type: 'failed', reason: String(error) }),
  )
})
tell({ type: 'ready' })
