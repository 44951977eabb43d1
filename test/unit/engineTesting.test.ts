import { describe, expect, test } from 'vitest'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'

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
