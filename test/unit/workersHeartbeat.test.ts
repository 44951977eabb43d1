import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { BEAT_MS, Heartbeat } from '../../server/workers/heartbeat.ts'

function scene() {
  const clock = new FakeClock()
  const noted: string[] = []
  let questions = 0
  const heartbeat = new Heartbeat({
    clock,
    ask: () => (questions += 1),
    onChange: (pulse) => noted.push(pulse),
    onSilent: () => noted.push('…'),
  })
  heartbeat.start()
  return { clock, noted, heartbeat, questions: () => questions }
}

describe('whether a worker answers', () => {
  test('W8: asked twice a second, and heard each time: it answers for ever', () => {
    const { clock, noted, heartbeat, questions } = scene()
    for (let second = 0; second < 120; second += 1) {
      clock.advance(1000)
      heartbeat.heard()
    }
    expect([questions(), noted, heartbeat.answers]).toEqual([241, [], true])
  })

  test('W8: after 5 s without a word it is silent; a pause of a little less means nothing', () => {
    const { clock, noted, heartbeat } = scene()
    clock.advance(4_999)
    heartbeat.heard()
    clock.advance(5_000)
    expect([noted, heartbeat.answers]).toEqual([[], true])
    clock.advance(BEAT_MS)
    expect([noted, heartbeat.answers]).toEqual([['silent', '…'], false])
  })

  test('W8: it is said with every beat that it is silent; a word, and it answers again, with all its time', () => {
    const { clock, noted, heartbeat } = scene()
    clock.advance(6_000)
    expect(noted).toEqual(['silent', '…', '…', '…'])
    heartbeat.heard()
    heartbeat.heard()
    expect([noted.slice(4), heartbeat.answers]).toEqual([['answering'], true])
    clock.advance(4_999)
    expect(heartbeat.answers).toBe(true)
  })

  test('W8: after 30 s without a word it is lost, which is said once; then nothing is asked, whatever is heard', () => {
    const { clock, noted, heartbeat, questions } = scene()
    clock.advance(29_999)
    expect(noted).not.toContain('lost')
    clock.advance(1)
    expect(noted.filter((pulse) => pulse !== '…')).toEqual(['silent', 'lost'])
    heartbeat.heard()
    clock.advance(60_000)
    expect([noted.at(-1), heartbeat.answers, questions(), clock.timers]).toEqual(['lost', false, 60, 0])
  })

  test('W8: a primary that stood still judges nobody: it has asked one question, and hears before the next', () => {
    const tasks: (() => void)[] = []
    let now = 0
    const noted: string[] = []
    const after = (_milliseconds: number, task: () => void): (() => void) => {
      tasks.push(task)
      return () => undefined
    }
    const clock = { now: () => now, endOfTurn: () => undefined, after }
    const heartbeat = new Heartbeat({
      clock,
      ask: () => undefined,
      onChange: (pulse) => noted.push(pulse),
      onSilent: () => undefined,
    })
    heartbeat.start()
    // A timer that was due long ago comes once when a process goes on, and before what others have written is read.
    now += 3_600_000
    tasks.shift()?.()
    heartbeat.heard()
    expect([noted, heartbeat.answers]).toEqual([[], true])
  })

  test('W8: another process under its index is asked from the beginning, and after the end nobody', () => {
    const { clock, noted, heartbeat, questions } = scene()
    clock.advance(30_000)
    heartbeat.start()
    expect(heartbeat.answers).toBe(true)
    clock.advance(4_999)
    expect([noted.at(-1), questions()]).toEqual(['lost', 70])
    heartbeat.stop()
    clock.advance(60_000)
    expect([questions(), clock.timers]).toEqual([70, 0])
  })
})
