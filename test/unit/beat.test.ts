import { describe, expect, it } from 'vitest'
import { Beat } from '../../server/document/beat.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'

function beatWith(cost: number, busy = () => true) {
  const clock = new FakeClock()
  const rounds: number[] = []
  const beat = new Beat(
    clock,
    () => cost,
    () => {
      rounds.push(clock.now())
      return busy()
    },
  )
  return { clock, beat, rounds }
}

describe('beat', () => {
  it('D4: the first change is handled at the end of its turn, once, without added wait', () => {
    const { clock, beat, rounds } = beatWith(0)
    beat.schedule()
    beat.schedule()
    expect(rounds).toEqual([])
    clock.flush()
    expect(rounds).toEqual([0])
  })

  it('D4: the next one waits for the rest of the shortest beat', () => {
    const { clock, beat, rounds } = beatWith(0)
    beat.schedule()
    clock.flush()
    clock.advance(3)
    beat.schedule()
    beat.schedule()
    clock.advance(100)
    expect(rounds).toEqual([0, 16])
    beat.schedule()
    clock.flush()
    expect(rounds).toEqual([0, 16, 103])
  })

  it('D4: the beat stretches with the cost of a round, up to 36 ms', () => {
    const gap = (cost: number): number => {
      const { clock, beat, rounds } = beatWith(cost)
      beat.schedule()
      clock.flush()
      beat.schedule()
      clock.advance(1000)
      return (rounds[1] ?? 0) - (rounds[0] ?? 0)
    }
    expect(gap(0.1)).toBe(16)
    expect(gap(1)).toBeGreaterThan(gap(0.6))
    expect(gap(0.6)).toBeGreaterThan(16)
    expect(gap(100)).toBe(36)
  })

  it('D4: a round that did nothing is followed by no rest', () => {
    const { clock, beat, rounds } = beatWith(0, () => false)
    beat.schedule()
    clock.flush()
    beat.schedule()
    clock.flush()
    expect(rounds).toEqual([0, 0])
  })

  it('work may schedule the next round itself', () => {
    const clock = new FakeClock()
    const rounds: number[] = []
    const beat: Beat = new Beat(
      clock,
      () => 0,
      () => {
        rounds.push(clock.now())
        if (rounds.length < 3) beat.schedule()
        return true
      },
    )
    beat.schedule()
    clock.advance(100)
    expect(rounds).toHaveLength(3)
    expect(rounds[2]).toBe(32)
  })

  it('stop cancels what was scheduled, at the end of the turn as well as later, and leaves no timer', () => {
    const { clock, beat, rounds } = beatWith(0)
    beat.schedule()
    beat.stop()
    clock.flush()
    beat.schedule()
    clock.flush()
    beat.schedule()
    beat.stop()
    clock.advance(100)
    expect(rounds).toEqual([0])
    expect(clock.timers).toBe(0)
  })
})
