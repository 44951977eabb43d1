import { setTimeout as delay } from 'node:timers/promises'
import * as Y from 'yjs'
import { TEXT } from '../load/typists.ts'
import { addTraffic, CountingSocket, noTraffic } from './countingSocket.ts'
import { fullDocument } from './fullDocument.ts'
import { wholeCollections } from './heapWatch.ts'
import type { Open, Opened } from './provider.ts'
import type { Command, Reading, Task } from './subjectMessages.ts'

type TaskOf<Type extends Task['type']> = Extract<Task, { type: Type }>

/** Until the talk at the start of a connection is over. */
const SETTLE_MS = 300
/** What follows from an edit, our client's question whether it is saved included, is over by then. */
const TAIL_MS = 400
/** Looking costs the process about as much as a message does. */
const LOOK_MS = 100
/** As TAIL_MS, after "synced". */
const OPEN_TAIL_MS = 15

/** What a client can be told to do. */
export class SubjectTasks {
  private readonly open: Open
  /** Without a server. */
  private readonly isAlone: boolean
  private readonly ready: () => void

  constructor(open: Open, isAlone: boolean, ready: () => void) {
    this.open = open
    this.isAlone = isAlone
    this.ready = ready
  }

  async run({ url, room, task }: Command): Promise<Reading> {
    if (task.type === 'open') return this.openMany(url, room, task)
    const rooms = await this.openRooms(url, room, task.rooms)
    const reading = await this.measure(() => (task.type === 'write' ? this.write(rooms, task) : this.read(rooms, task)))
    for (const opened of rooms) opened.destroy() // or they would show signs of life in other windows
    await delay(SETTLE_MS)
    return reading
  }

  private async openRooms(url: string, room: string, count: number): Promise<Opened[]> {
    const opened = Array.from({ length: count }, (_, number) => this.open(url, `${room}-${number}`, CountingSocket))
    await Promise.all(opened.map((one) => one.whenSynced()))
    await delay(SETTLE_MS)
    return opened
  }

  /** CPU and traffic of `work`. */
  private async measure(work: () => Promise<readonly number[]>): Promise<Reading> {
    globalThis.gc?.(true) // a minor one: what was left before is not ours, and a whole one would throw away code as well
    const before = CountingSocket.total
    const start = process.cpuUsage()
    const times = await work()
    const { user, system } = process.cpuUsage(start)
    const traffic = addTraffic(CountingSocket.total, before, -1)
    return { cpu: user + system, ...traffic, collections: wholeCollections(), times }
  }

  private async write(rooms: readonly Opened[], task: TaskOf<'write'>): Promise<readonly number[]> {
    for (let turn = 0; turn < task.turns; turn++) {
      const { doc, awareness } = rooms[turn % rooms.length] as Opened
      const text = doc.getText(TEXT)
      for (let edit = 0; edit < task.perTurn; edit++) {
        text.insert(text.length, 'e')
        if (task.hasCursor) awareness.setLocalStateField('cursor', { anchor: text.length, head: text.length })
      }
      await delay(task.everyMs)
    }
    await delay(TAIL_MS)
    return []
  }

  private async read(rooms: readonly Opened[], task: TaskOf<'read'>): Promise<readonly number[]> {
    const lengths = rooms.map(({ doc }) => doc.getText(TEXT).length)
    const goal = lengths.reduce((sum, length) => sum + length, 0) + task.edits
    const length = (): number => rooms.reduce((sum, { doc }) => sum + doc.getText(TEXT).length, 0)
    this.ready()
    while (length() < goal) await delay(LOOK_MS)
    await delay(TAIL_MS)
    return []
  }

  private async openMany(url: string, room: string, { times, content }: TaskOf<'open'>): Promise<Reading> {
    const took: number[] = []
    let cpu = 0
    let traffic = noTraffic
    const state = content === 'full' && this.isAlone ? fullDocument() : null
    for (let time = 0; time < times; time++) {
      const reading = await this.openOnce(url, content === 'full' ? room : `${room}-${time}`, state)
      took.push(...reading.times)
      cpu += reading.cpu
      traffic = addTraffic(traffic, reading)
    }
    return { cpu, ...traffic, collections: wholeCollections(), times: took }
  }

  private async openOnce(url: string, room: string, state: Uint8Array | null): Promise<Reading> {
    const ends: (() => void)[] = []
    const reading = await this.measure(async () => {
      const start = performance.now()
      const opened = this.open(url, room, CountingSocket)
      ends.push(() => opened.destroy())
      await opened.whenSynced()
      if (state !== null) Y.applyUpdate(opened.doc, state)
      const end = performance.now()
      await delay(OPEN_TAIL_MS)
      return [end - start]
    })
    for (const end of ends) end()
    await delay(OPEN_TAIL_MS)
    return reading
  }
}
