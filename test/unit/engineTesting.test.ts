import { describe, expect, test } from 'vitest'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FakeClock } from '../../server/testing/fakeClock.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'

describe('the fake clock', () => {
  test('runs timers in order of due time, and those they set on the way', () => {
    const clock = new FakeClock()
    const log: string[] = []
    clock.after(20, () => log.push(`b ${clock.now()}`))
    clock.after(10, () => {
      log.push(`a ${clock.now()}`)
      clock.after(5, () => log.push(`c ${clock.now()}`))
    })
    const cancel = clock.after(15, () => log.push('never'))
    cancel()
    clock.advance(30)
    expect(log).toEqual(['a 10', 'c 15', 'b 20'])
    expect(clock.now()).toBe(30)
    expect(clock.timers).toBe(0)
  })

  test('end-of-turn tasks run on flush, before any timer', () => {
    const clock = new FakeClock()
    const log: string[] = []
    clock.after(0, () => log.push('timer'))
    clock.endOfTurn(() => {
      log.push('turn')
      clock.endOfTurn(() => log.push('next turn'))
    })
    expect(log).toEqual([])
    clock.advance(0)
    expect(log).toEqual(['turn', 'next turn', 'timer'])
  })

  test('code that awaits between its timers is driven to its end', async () => {
    const clock = new FakeClock()
    let rounds = 0
    const running = (async () => {
      while (rounds < 3) {
        await new Promise<void>((resolve) => clock.after(10, resolve))
        rounds += 1
      }
    })()
    await clock.advanceAsync(30)
    await running
    expect(rounds).toBe(3)
  })
})

describe('the faulty engine', () => {
  test('fails as often as asked, before or after the write, and then works', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    engine.fail('append', 1, 'before')
    engine.fail('append', 1, 'after')
    const code = 'STORAGE_UNAVAILABLE'
    await expect(engine.append('a', Uint8Array.of(1))).rejects.toMatchObject({ code })
    expect(engine.health().state).toBe('failing')
    expect((await engine.load('a')).tail).toHaveLength(0)
    await expect(engine.append('a', Uint8Array.of(2))).rejects.toMatchObject({ code })
    expect((await engine.load('a')).tail).toHaveLength(1)
    await engine.append('a', Uint8Array.of(3))
    expect(engine.health().state).toBe('ok')
    expect(engine.calls('append')).toBe(3)
  })

  test('holds calls until released', async () => {
    const inner = new MemoryEngine()
    const engine = new FaultyEngine(inner)
    const release = engine.hold('append')
    const append = engine.append('a', Uint8Array.of(1))
    expect((await inner.load('a')).tail).toHaveLength(0)
    release()
    await append
    expect((await inner.load('a')).tail).toHaveLength(1)
  })
})
