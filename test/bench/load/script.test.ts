import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { Recorder } from '../measure/recorder.ts'
import { yWebsocketDialect } from '../wire/dialect.ts'
import { missingIn, writeScript, type Script } from './script.ts'

const PLAN = { rooms: 2, people: 3, editsPerSecond: 2, warmupSeconds: 1 }

/** What everybody is sent by a server that relays each edit alone, except those that `drops` says. */
function relayed(script: Script, drops: (receiver: number, edit: number) => boolean): Recorder {
  const recorder = new Recorder()
  for (const [author, updates] of script.updates.entries()) {
    const room = Math.floor(author / PLAN.people)
    for (const [edit, update] of updates.entries()) {
      script.sentAt[author * script.perPerson + edit] = 100
      const bytes = Buffer.from(yWebsocketDialect.sync('x', 2, update))
      const receivers = Array.from({ length: PLAN.people }, (_, person) => room * PLAN.people + person)
      for (const receiver of receivers.filter((one) => !drops(one, edit)))
        recorder.add(receiver, 103, bytes, { start: 0, end: bytes.length })
    }
  }
  return recorder
}

function look(script: Script, recorder: Recorder): { missing: number; latencies: number[] } {
  const latencies: number[] = []
  const missing = missingIn(recorder, script, yWebsocketDialect, (milliseconds) => latencies.push(milliseconds))
  return { missing, latencies }
}

test('bench: every pair of edit and receiver counts once, those of the warm-up without a latency', () => {
  const script = writeScript(PLAN, 2)
  const everything = relayed(script, () => false)
  expect(look(script, everything)).toEqual({ missing: 0, latencies: Array.from({ length: 6 * 2 * 4 }, () => 3) })
})

test('bench: an edit that arrives twice counts once', () => {
  const script = writeScript(PLAN, 2)
  const recorder = relayed(script, (receiver) => receiver === 0)
  for (const { receiver, time, bytes } of relayed(script, (receiver) => receiver === 0))
    recorder.add(receiver, time, bytes, { start: 0, end: bytes.length })
  expect(look(script, recorder).missing).toBe(2 * script.perPerson)
})

test('bench: an edit that one receiver never got is missed', () => {
  const script = writeScript(PLAN, 2)
  expect(
    look(
      script,
      relayed(script, (receiver, edit) => receiver === 1 && edit === 3),
    ).missing,
  ).toBe(2)
})

test('bench: an edit that arrives inside a merged update has arrived', () => {
  const script = writeScript({ ...PLAN, rooms: 1, people: 2 }, 2)
  const recorder = new Recorder()
  for (const [author, updates] of script.updates.entries()) {
    const bytes = Buffer.from(yWebsocketDialect.sync('x', 2, Y.mergeUpdates([...updates])))
    recorder.add(1 - author, 5, bytes, { start: 0, end: bytes.length })
  }
  expect(look(script, recorder).missing).toBe(0)
})
