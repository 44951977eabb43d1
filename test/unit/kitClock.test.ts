import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { Random } from '../../client/testing/random.ts'
import { RandomEditor } from '../../client/testing/randomEditor.ts'

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

describe('the random editor', () => {
  function written(seed: number): string {
    const doc = new Y.Doc()
    doc.clientID = 1
    const editor = new RandomEditor(doc, new Random(seed))
    for (let count = 0; count < 200; count += 1) editor.edit()
    return Buffer.from(Y.encodeStateAsUpdate(doc)).toString('hex')
  }

  test('writes the same with the same seed, and something else with another', () => {
    expect(written(7)).toBe(written(7))
    expect(written(7)).not.toBe(written(8))
  })

  test('does what it is given to do', () => {
    const doc = new Y.Doc()
    const editor = new RandomEditor(doc, new Random(1), [(doc) => doc.getText('mine').insert(0, 'x')])
    editor.edit()
    expect(doc.getText('mine').toJSON()).toMatch(/^x+$/)
    expect([...doc.share.keys()]).toEqual(['mine'])
  })
})
