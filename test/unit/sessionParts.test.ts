import { describe, expect, it } from 'vitest'
import { InvalidNameError, LimitExceededError } from '../../shared/errors.ts'
import { defaultLimits } from '../../shared/limits.ts'
import { checkName, nameFromUrl } from '../../shared/names.ts'
import { HeldUpdates } from '../../server/document/heldUpdates.ts'
import { authorOf } from '../../server/document/logRecord.ts'
import type { Participant, Submission } from '../../server/document/participant.ts'
import { Budget } from '../../server/document/budgets.ts'
import { PingBudget } from '../../server/transport/pingBudget.ts'

const shape = { runs: [], needs: null, deletes: [], deleteSetOffset: 0 }

function submission(update: Uint8Array): Submission {
  return { from: {} as Participant, number: 1, update, structs: 1, appends: false, acknowledge: true, arrivedAt: 0 }
}

describe('budget', () => {
  it('S6: a burst, then what is refilled per second, and waits that suffice', () => {
    const budget = new Budget(100, 50, 0)
    expect(budget.wait(0)).toBe(0)
    budget.spend(100)
    const wait = budget.wait(0)
    expect(wait).toBeGreaterThan(0)
    expect(budget.wait(wait)).toBe(0)
    budget.spend(1000)
    expect(budget.wait(wait)).toBeGreaterThan(10_000)
    expect(budget.wait(1_000_000)).toBe(0)
    budget.spend(100)
    expect(budget.wait(1_000_000)).toBeGreaterThan(0) // never more than a burst was saved
  })
})

describe('ping budget', () => {
  it('T10: a burst of five seconds, then maxPingsPerSecond', () => {
    const budget = new PingBudget(20, 0)
    const taken = (now: number, count: number): number =>
      Array.from({ length: count }, () => budget.take(now)).filter(Boolean).length
    expect(taken(0, 200)).toBe(100)
    const later = new PingBudget(20, 0)
    for (let ping = 0; ping < 100; ping += 1) later.take(0)
    expect([later.take(50), later.take(50)]).toEqual([true, false])
  })
})

describe('the author of a log record', () => {
  it('S10: is who has said all of it, in these words', () => {
    const [one, other] = [submission(new Uint8Array(1)), submission(new Uint8Array(1))]
    expect(authorOf([one])).toBe(one.from)
    expect(authorOf([one, { ...other, from: one.from }])).toBe(one.from)
    expect(authorOf([one, other])).toBe(null)
    expect(authorOf([{ ...one, number: null }]), 'a part that we have made').toBe(null)
  })
})

describe('held updates', () => {
  it('D8, C24: at most maxHeldUpdatesPerSession and maxHeldBytesPerSession', () => {
    const held = new HeldUpdates({ ...defaultLimits, maxHeldUpdatesPerSession: 2, maxHeldBytesPerSession: 10 })
    held.add(submission(new Uint8Array(1)), shape)
    held.add(submission(new Uint8Array(1)), shape)
    expect(() => held.add(submission(new Uint8Array(1)), shape)).toThrow(LimitExceededError)
    const large = new HeldUpdates({ ...defaultLimits, maxHeldBytesPerSession: 10 })
    large.add(submission(new Uint8Array(10)), shape)
    expect(() => large.add(submission(new Uint8Array(1)), shape)).toThrow(LimitExceededError)
  })

  it('D8: copies, because the frame it is a view on may be reused', () => {
    const held = new HeldUpdates(defaultLimits)
    const update = new Uint8Array([1, 2])
    held.add(submission(update), shape)
    update[0] = 9
    held.retry(({ update }) => {
      expect(update).toEqual(new Uint8Array([1, 2]))
      return true
    })
    expect(held.isEmpty).toBe(true)
  })

  it('D8: a retry keeps what is refused, in order, and its bytes count on', () => {
    const held = new HeldUpdates({ ...defaultLimits, maxHeldBytesPerSession: 3 })
    for (const value of [1, 2, 3]) held.add(submission(new Uint8Array([value])), shape)
    held.retry(({ update }) => update?.[0] === 2)
    const kept: (number | undefined)[] = []
    held.retry(({ update }) => {
      kept.push(update?.[0])
      return false
    })
    expect(kept).toEqual([1, 3])
    held.add(submission(new Uint8Array(1)), shape)
    expect(() => held.add(submission(new Uint8Array(1)), shape)).toThrow(LimitExceededError)
  })
})

describe('names', () => {
  it('T4: 1 to maxNameBytes bytes of UTF-8, no control characters, otherwise anything as it is', () => {
    for (const name of ['a', '__proto__', '../x', 'a/b', 'é', '日本', '😀', 'x'.repeat(512), '😀'.repeat(128)]) {
      expect(checkName(name, 512)).toBe(name)
    }
    for (const name of ['', 'x'.repeat(513), 'é'.repeat(257), '😀'.repeat(129), 'a\0b', 'a\nb', '\u007f']) {
      expect(() => checkName(name, 512)).toThrow(InvalidNameError)
    }
  })

  it('T4: by URL, the decoded path without leading slash, query and fragment', () => {
    expect(nameFromUrl('/team/notes%20a?token=x')).toBe('team/notes a')
    expect(nameFromUrl('/a#b')).toBe('a')
    expect(nameFromUrl('/%E6%97%A5')).toBe('日')
    expect(nameFromUrl('/a%2Fb')).toBe('a/b')
    expect(nameFromUrl('/')).toBe('')
    expect(nameFromUrl('//a')).toBe('/a')
    // The absolute form is one only where the path would begin; an address behind a slash is part of the name.
    for (const origin of ['http://a.example', 'https://a.example:443', 'ws://[::1]:8080', 'WSS://user@a.example']) {
      expect(nameFromUrl(`${origin}/b/c?token=x`)).toBe('b/c')
      expect(nameFromUrl(origin)).toBe('')
      expect(nameFromUrl(`${origin}?token=x`)).toBe('')
      expect(nameFromUrl(`/${origin}/b`)).toBe(`${origin}/b`)
    }
    for (const broken of ['/%', '/%zz', '/%ff']) expect(() => nameFromUrl(broken)).toThrow(InvalidNameError)
  })
})
