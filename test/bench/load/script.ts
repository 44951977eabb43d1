import { MessageDecoder, type Range } from '../measure/decode.ts'
import { randomFrom } from '../measure/numbers.ts'
import type { Recorded, Recorder } from '../measure/recorder.ts'
import type { Client } from '../wire/client.ts'
import type { Dialect } from '../wire/dialect.ts'
import type { Due } from './schedule.ts'
import { clientId, typedUpdates } from './typists.ts'

export interface ScriptPlan {
  readonly rooms: number
  /** In each room; all of them type. */
  readonly people: number
  readonly editsPerSecond: number
  /** Typed before the clock starts, so that code is compiled and caches are warm. */
  readonly warmupSeconds: number
}

/** Everybody's edits, made beforehand, and when each was sent. */
export interface Script {
  readonly plan: ScriptPlan
  readonly perPerson: number
  readonly warmupEdits: number
  readonly updates: readonly (readonly Uint8Array[])[]
  /** Indexed person × perPerson + edit. */
  readonly sentAt: Float64Array
}

/** @param seconds typed after the warm-up */
export function writeScript(plan: ScriptPlan, seconds: number): Script {
  const { rooms, people, editsPerSecond, warmupSeconds } = plan
  const warmupEdits = Math.round(editsPerSecond * warmupSeconds)
  const perPerson = warmupEdits + Math.round(editsPerSecond * seconds)
  const updates = Array.from({ length: rooms * people }, (_, person) => typedUpdates(person, perPerson))
  return { plan, perPerson, warmupEdits, updates, sentAt: new Float64Array(updates.length * perPerson) }
}

/** Everything that is typed in a room. */
export function typedIn(script: Script, room: number): Uint8Array[] {
  const { people } = script.plan
  return script.updates.slice(room * people, (room + 1) * people).flat()
}

/** Nobody types like a metronome: each edit comes at a random moment of its interval. */
export function schedule(script: Script, clients: readonly Client[]): Due[] {
  const random = randomFrom(1)
  return clients.flatMap((client, person) =>
    (script.updates[person] ?? []).map((update, k) => {
      const frame = client.updateFrame(update)
      return {
        at: ((k + random()) * 1000) / script.plan.editsPerSecond,
        run: () => {
          script.sentAt[person * script.perPerson + k] = performance.now()
          client.send(frame)
        },
      }
    }),
  )
}

/** Told of each edit typed after the warm-up, once for each receiver it reached. */
export type OnLatency = (milliseconds: number, author: number) => void

/** Which edit has reached whom, and how long it took: every (edit, receiver) pair. */
class Arrivals {
  private readonly script: Script
  private readonly onLatency: OnLatency
  private readonly personOf: ReadonlyMap<number, number>
  /** By receiver: one byte for each edit of its room. */
  private readonly seen: readonly Uint8Array[]
  private pairs = 0

  constructor(script: Script, onLatency: OnLatency) {
    this.script = script
    this.onLatency = onLatency
    this.personOf = new Map(script.updates.map((_, person) => [clientId(person), person]))
    this.seen = script.updates.map(() => new Uint8Array(script.plan.people * script.perPerson))
  }

  get missing(): number {
    const { updates, perPerson, plan } = this.script
    return updates.length * perPerson * (plan.people - 1) - this.pairs
  }

  note({ receiver, time }: Recorded, { client, from, to }: Range): void {
    const author = this.personOf.get(client)
    const mine = this.seen[receiver]
    if (author === undefined || mine === undefined || author === receiver) return
    const { perPerson, warmupEdits, sentAt, plan } = this.script
    for (let k = from; k < to; k++) {
      const at = (author % plan.people) * perPerson + k
      if (mine[at] === 1) continue
      mine[at] = 1
      this.pairs++
      if (k >= warmupEdits) this.onLatency(time - (sentAt[author * perPerson + k] ?? 0), author)
    }
  }
}

/** Looks at everything that was received; the number of (edit, receiver) pairs that never arrived. */
export function missingIn(recorder: Recorder, script: Script, dialect: Dialect, onLatency: OnLatency): number {
  const arrivals = new Arrivals(script, onLatency)
  const decoder = new MessageDecoder(dialect)
  for (const recorded of recorder) {
    const { kind, ranges } = decoder.decode(recorded)
    if (kind !== 'document') continue
    for (const range of ranges) arrivals.note(recorded, range)
  }
  return arrivals.missing
}
