import { expect, onTestFinished, test } from 'vitest'
import { Collaborator } from '../support/collaborator.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

const PEOPLE = 20
const LETTERS = 'abcdefghij'

test.each(['y-websocket', 'hocuspocus'] as const)(
  'P5, D2: %s: what many people type at once reaches each of them in one message per commit',
  async (protocol) => {
    const host = await TestServer.start({ durability: 'memory' })
    onTestFinished(() => host.dispose())
    const people = await Promise.all(
      Array.from({ length: PEOPLE }, () => Collaborator.open(host.port, 'crowd', { protocol })),
    )
    onTestFinished(() => {
      for (const one of people) one.raw.destroy()
    })
    for (const letter of LETTERS) for (const one of people) one.type(letter)
    const everything = PEOPLE * LETTERS.length
    await eventually(() => people.every((one) => one.text.length === everything), 'everybody has every letter')
    const commits = host.count('committed')
    const merged = host.events.reduce((sum, event) => sum + (event.type === 'committed' ? event.updates : 0), 0)
    expect(merged).toBeGreaterThanOrEqual(everything)
    expect(commits).toBeLessThan(everything / 4)
    for (const one of people) expect(one.count('update')).toBe(commits)
  },
)
