import { forEachAtOnce } from '../load/fetch.ts'
import { until } from '../load/schedule.ts'
import { NumberList } from '../measure/numbers.ts'
import { Client } from '../wire/client.ts'
import { yWebsocketDialect } from '../wire/dialect.ts'
import { clientNames, type SubjectName } from './clientName.ts'
import type { Traffic } from './countingSocket.ts'
import { fullDocument } from './fullDocument.ts'
import { loads, type Load } from './loads.ts'
import type { Reading } from './subjectMessages.ts'
import { SubjectProcess } from './subjectProcess.ts'
import { Typists } from './typists.ts'

const FULL_ROOM = 'full'
const NAME_LENGTH = 11
const FILL_PATIENCE_MS = 60_000

/** The values of all rounds, of one client under one load. */
export class Sample {
  readonly cpu = new NumberList()
  readonly time = new NumberList()
  private readonly collections = new NumberList()
  private readonly traffic: Readonly<Record<keyof Traffic, NumberList>> = {
    bytesOut: new NumberList(),
    bytesIn: new NumberList(),
    framesOut: new NumberList(),
    framesIn: new NumberList(),
  }

  /** Whether the heap was never collected as a whole from one of these readings to another. */
  get isUndisturbed(): boolean {
    return this.collections.quantile(0) === this.collections.quantile(1)
  }

  add(reading: Reading, units: number): void {
    this.collections.add(reading.collections)
    this.cpu.add(reading.cpu / units)
    for (const time of reading.times) this.time.add(time)
    for (const [name, list] of Object.entries(this.traffic)) list.add(reading[name as keyof Traffic] / units)
  }

  median(what: keyof Traffic): number {
    return this.traffic[what].quantile(0.5)
  }
}

export type Samples = ReadonlyMap<string, ReadonlyMap<SubjectName, Sample>>

/** All clients take turns under every load, against one server. */
export class Rounds {
  readonly samples: Samples
  private readonly port: number
  /**
   * Those that open documents do nothing else. In processes with a history of other loads an opening of 100 kB cost one
   * client several milliseconds more than another, which it did not by itself; V8's young generation is the suspect.
   */
  private readonly subjects: Readonly<Record<'edits' | 'openings', readonly SubjectProcess[]>>
  private round = 0

  private constructor(port: number, subjects: Rounds['subjects']) {
    this.port = port
    this.subjects = subjects
    const fresh = (load: Load): Map<SubjectName, Sample> =>
      new Map(this.subjectsOf(load).map(({ name }) => [name, new Sample()]))
    this.samples = new Map(loads.map((load) => [load.id, fresh(load)]))
  }

  static async start(port: number): Promise<Rounds> {
    const subjects = { edits: [] as SubjectProcess[], openings: [] as SubjectProcess[] }
    for (const name of [...clientNames, 'none'] as const) {
      subjects.edits.push(await SubjectProcess.start(name))
      subjects.openings.push(await SubjectProcess.start(name))
    }
    const rounds = new Rounds(port, subjects)
    await rounds.fill()
    return rounds
  }

  /**
   * Every load for everybody at once, not measured: V8 compiles code again and again while it is new, which in the first
   * rounds costs more than all the rest, and is more for whoever has more code. At last one by one, as it is measured: the
   * first after so much work at once needed a third of what it needed ever after.
   */
  async warmUp(times: number, log: (line: string) => void): Promise<void> {
    for (let time = 0; time < times; time++) {
      for (const load of loads) await Promise.all(this.subjectsOf(load).map((subject) => this.turn(load, subject)))
      this.round++
      log(`warming up, ${time + 1} of ${times}`)
    }
    await this.takeTurns(() => undefined)
  }

  /** One turn of everybody under every load. */
  run(): Promise<void> {
    return this.takeTurns((load, name, reading) => this.samples.get(load.id)?.get(name)?.add(reading, load.units))
  }

  /** Who begins changes, and who follows whom: what the server is left with is the next one's business. */
  private async takeTurns(take: (load: Load, name: SubjectName, reading: Reading) => void): Promise<void> {
    for (const load of loads) {
      const forwards = this.subjectsOf(load)
      const subjects = this.round % 2 === 0 ? forwards : forwards.toReversed()
      const first = Math.floor(this.round / 2) % subjects.length
      for (const subject of [...subjects.slice(first), ...subjects.slice(0, first)])
        take(load, subject.name, await this.turn(load, subject))
    }
    this.round++
  }

  stop(): Promise<void> {
    const all = [...this.subjects.edits, ...this.subjects.openings]
    return forEachAtOnce(all, all.length, (subject) => subject.stop())
  }

  /** Yjs alone is told nothing by others: what the server makes one message of would be several transactions. */
  private subjectsOf({ task }: Load): readonly SubjectProcess[] {
    const { openings, edits } = this.subjects
    return task.type === 'open' ? openings : edits.filter(({ name }) => task.type === 'write' || name !== 'none')
  }

  private async turn({ id, task }: Load, subject: SubjectProcess): Promise<Reading> {
    const url = `ws://127.0.0.1:${this.port}`
    // Equally long for all, since Hocuspocus' messages and everybody's request contain it.
    const own = `${id}-${subject.name.padEnd(NAME_LENGTH, '-')}-${this.round}`
    if (task.type === 'open') {
      const room = task.content === 'full' ? FULL_ROOM : own
      return subject.run({ url, room, task })
    }
    if (task.type === 'write') return subject.run({ url, room: own, task })
    const typists = await Typists.open(this.port, own, task.rooms, task.people)
    const reading = await subject.run({ url, room: own, task }, () => void typists.type(task.edits, task.everyMs))
    typists.close()
    return reading
  }

  private async fill(): Promise<void> {
    const state = fullDocument() // takes a while, in which a connection would not be looked after
    const filler = new Client({ port: this.port, dialect: yWebsocketDialect, document: FULL_ROOM })
    await filler.synced()
    filler.send(filler.updateFrame(state))
    const isStored = await until(() => filler.counts.update > 0, FILL_PATIENCE_MS) // then it comes back
    if (!isStored) throw new Error(`the full document was not stored; connection: ${filler.closedBy ?? 'open'}`)
    filler.close()
  }
}
