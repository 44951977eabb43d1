import { beforeEach, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../shared/limits.ts'
import type { PresenceState } from '../../shared/wire/awareness.ts'
import { encodeAwareness, readAwareness } from '../../shared/wire/awareness.ts'
import { Presence } from '../../server/document/presence.ts'
import type { Speaker } from '../../server/document/presenceEntry.ts'

const X = 7
const Y = 8

/** A session that answers challenges when told to. */
class Local implements Speaker {
  readonly challenges: ((alive: boolean) => void)[] = []

  challenge(): Promise<boolean> {
    return new Promise((resolve) => this.challenges.push(resolve))
  }
}

/** The document has been loaded for longer than anything takes that follows from it. */
const LONG_AGO = -60_000

let presence: Presence
let asked: string[]
let retold: number

beforeEach(() => {
  asked = []
  retold = 0
  presence = new Presence(defaultLimits, () => {})
  const ask = (node: string, client: number, clock: number): void => void asked.push(`${node} ${client}@${clock}`)
  presence.remote.share({ ask, retell: () => (retold += 1) }, LONG_AGO)
})

/** `7@3=a` is client 7 at clock 3 with the state `{"v":"a"}`; `7@3` is gone. */
function state(text: string): PresenceState {
  const [, client, clock, value] = /^(\d+)@(\d+)(?:=(\w*))?$/.exec(text) ?? []
  const json = value === undefined ? 'null' : JSON.stringify({ v: value })
  return { client: Number(client), clock: Number(clock), json: Buffer.from(json) }
}

function text({ client, clock, json }: PresenceState): string {
  const said = Buffer.from(json).toString()
  if (said === 'null') return `${client}@${clock}`
  return said === '' ? `${client}^${clock}` : `${client}@${clock}=${(JSON.parse(said) as { v: string }).v}`
}

function texts(update: Uint8Array | null): string[] {
  return update === null ? [] : readAwareness(update).map(text)
}

function hear(node: string, said: string[], now = 0): string[] {
  presence.remote.hear(node, said.map(state), now)
  return texts(presence.takeChanges()?.update ?? null)
}

function hearAll(node: string, said: string[], now = 0): string[] {
  presence.remote.hearAll(node, said.map(state), now)
  return texts(presence.takeChanges()?.update ?? null)
}

function join(): Local {
  const local = new Local()
  presence.join(local)
  return local
}

function say(local: Local, said: string[], now = 0): string[] {
  const states = said.map(state)
  presence.receive(local, states, encodeAwareness(states).length, now)
  return texts(presence.takeChanges()?.update ?? null)
}

function own(): string[] {
  return texts(presence.remote.takeOwnChanges())
}

async function turn(): Promise<void> {
  for (let count = 0; count < 5; count += 1) await Promise.resolve()
}

describe('what other nodes say about their clients', () => {
  it('N1: a state is told to the room, a newer one again, the same one not', () => {
    expect(hear('a', ['7@1=a'])).toEqual(['7@1=a'])
    expect(hear('a', ['7@1=a'])).toEqual([])
    expect(hear('a', ['7@2=b'])).toEqual(['7@2=b'])
    expect(texts(presence.encodeAll())).toEqual(['7@2=b'])
  })

  it('N1, A3: only the node that speaks for a client can say that it is gone', () => {
    hear('a', ['7@3=a'])
    expect(hear('b', ['7@9'])).toEqual([])
    expect(hear('a', ['7@3'])).toEqual(['7@3'])
  })

  it('N1: of two nodes the one with the newer clock speaks for the client', () => {
    hear('a', ['7@3=a'])
    expect(hear('b', ['7@3=b'])).toEqual([])
    expect(hear('b', ['7@4=b'])).toEqual(['7@4=b'])
    expect(hear('a', ['7@3'])).toEqual([])
  })

  it('N1, A8: what clients could not bear is not told', () => {
    const deep: PresenceState = { client: X, clock: 1, json: Buffer.from('{"v":'.repeat(50) + '1' + '}'.repeat(50)) }
    const far: PresenceState = { client: Y, clock: 2 ** 53 - 1, json: Buffer.from('{}') }
    presence.remote.hear('a', [deep, far, { client: 9, clock: 1, json: Buffer.from('[]') }], 0)
    expect(presence.changed).toBe(false)
  })

  it('N2: nothing that came from another node is published again, and a beat of local clients alone is encoded once', () => {
    const local = join()
    hear('a', ['7@1=a', '7@2=b'])
    expect(own()).toEqual([])
    presence.receive(local, [state('8@1=l')], 20, 0)
    const told = presence.takeChanges()
    expect(presence.remote.takeOwnChanges()).toBe(told?.update)
    presence.remote.hear('a', [state('7@3=c')], 0)
    expect(say(local, ['8@2=m'])).toEqual(['7@3=c', '8@3=m'])
    expect(own()).toEqual(['8@3=m'])
    expect(texts(presence.remote.encodeOwn())).toEqual(['8@3=m'])
    presence.leave(local, 0)
    expect(texts(presence.takeChanges()?.update ?? null)).toEqual(['8@3'])
    expect(own()).toEqual(['8@3'])
    expect([...presence.remote.encodeOwn()]).toEqual([0])
  })

  it('N2: without other nodes nothing is kept for them', () => {
    presence = new Presence(defaultLimits, () => {})
    say(join(), ['8@1=l'])
    expect(presence.remote.takeOwnChanges()).toBeNull()
  })

  it('N3, A6: a client the room has seen leave is told above the clock it left under, and so is what follows', () => {
    hear('a', ['7@5=a'])
    hear('a', ['7@5'])
    expect(hear('b', ['7@5=b'])).toEqual(['7@6=b'])
    expect(hear('b', ['7@6=c'])).toEqual(['7@7=c'])
    expect(hear('b', ['7@9=d'])).toEqual(['7@9=d'])
  })

  it('N3: of a client nobody here has seen it is remembered under which clock it left', () => {
    expect(hear('a', ['7@5'])).toEqual([])
    expect(hear('b', ['7@5=b'])).toEqual(['7@6=b'])
  })

  it('N3: a clock raised here is told to the other nodes; its owner saying so is no news', () => {
    hear('a', ['7@5=a'])
    hear('a', ['7@5'])
    hear('b', ['7@5=b'])
    expect(texts(presence.remote.takeRaised())).toEqual(['7^6'])
    expect(hear('b', ['7@6=b'])).toEqual([])
    expect(hear('b', ['7@7=c'])).toEqual(['7@7=c'])
    expect(presence.remote.takeRaised()).toBeNull()
  })

  it('N3: a client known elsewhere under a higher clock is told above it, not before it says something new', () => {
    const local = join()
    say(local, ['8@3=l'])
    const clock = readAwareness(presence.remote.encodeOwn())[0]?.clock ?? 0
    presence.remote.hearRaised([{ client: Y, clock: clock + 4, json: new Uint8Array() }])
    expect(presence.changed).toBe(false)
    expect(say(local, ['8@5=m'])).toEqual([`8@${clock + 5}=m`])
  })

  it('N3: nobody can leave a client at the end of all clocks', () => {
    say(join(), ['8@3=l'])
    const before = texts(presence.encodeAll())
    presence.remote.hearRaised([{ client: Y, clock: 2 ** 40, json: new Uint8Array() }])
    expect(texts(presence.encodeAll())).toEqual(before)
    hear('b', [`7@${2 ** 40}=evil`])
    hear('b', [`7@${2 ** 40}`])
    expect(hear('a', ['7@4=a'])).toEqual([`7@${2 ** 40 + 1}=a`])
  })

  it('N3: who comes with a used clock, and unknown, is told of those on other nodes above the clocks it may know', () => {
    say(join(), ['8@3=l'], 1_000)
    expect(hearAll('a', ['7@5=a'], 2_000)).toEqual(['7@6=a'])
    expect(hearAll('a', ['7@5=a', '9@5=a'], 60_000)).toEqual(['9@5=a'])
  })

  it('N4: a list of all clients departs those it does not name, of its node only', () => {
    hear('a', ['7@1=a', '8@1=a'])
    hear('b', ['9@1=b'])
    expect(hearAll('a', ['8@1=a'])).toEqual(['7@1'])
    expect(hearAll('a', [])).toEqual(['8@1'])
    expect(texts(presence.encodeAll())).toEqual(['9@1=b'])
  })

  it('N4, A7: what is not renewed is gone after presenceTimeoutMs; a list renews it', () => {
    hear('a', ['7@1=a', '8@1=a'], 0)
    hearAll('a', ['7@1=a', '8@1=a'], 20_000)
    presence.sweep(30_000)
    expect(presence.changed).toBe(false)
    hear('a', ['7@1=a'], 40_000)
    presence.sweep(50_000)
    expect(texts(presence.takeChanges()?.update ?? null)).toEqual(['8@1'])
  })

  it('N4: all clients of a node that is known to be gone are gone', () => {
    hear('a', ['7@1=a', '8@1=a'])
    hear('b', ['9@1=b'])
    presence.remote.leftNode('a', 0)
    expect(texts(presence.takeChanges()?.update ?? null)).toEqual(['7@1', '8@1'])
  })

  it('N4: a client that is gone, and said to be there under an older clock, has to prove it', () => {
    hear('a', ['7@5=a'])
    hear('a', ['7@5'])
    expect(hear('b', ['7@3=old'])).toEqual([])
    expect(asked).toEqual(['b 7@5'])
  })
})

describe('claims across nodes', () => {
  it('N5, A5: the other node is asked, and its client departing lets the claim stand', async () => {
    hear('a', ['7@5=a'])
    const claimant = join()
    expect(say(claimant, ['7@5=mine'])).toEqual([])
    expect(asked).toEqual(['a 7@5'])
    presence.remote.hear('a', [state('7@5')], 0)
    await turn()
    expect(texts(presence.takeChanges()?.update ?? null)).toEqual(['7@6=mine'])
    expect(own()).toEqual(['7@6=mine'])
  })

  it('N5, A5: a claim is dropped when the other node goes on saying that the client is its own', async () => {
    hear('a', ['7@5=a'])
    say(join(), ['7@5=mine'])
    hear('a', ['7@5=a'], 3_000)
    presence.sweep(6_000)
    await turn()
    expect(texts(presence.takeChanges()?.update ?? null)).toEqual([])
    hear('a', ['7@5'], 7_000)
    await turn()
    expect(texts(presence.encodeAll())).toEqual([])
  })

  it('N5: a claim stands when the other node says nothing for 6 s; it is asked again every second until then', async () => {
    hear('a', ['7@5=a'])
    say(join(), ['7@5=mine'], 1_000)
    presence.remote.askAgain()
    presence.sweep(6_999)
    await turn()
    expect(presence.changed).toBe(false)
    presence.sweep(7_000)
    await turn()
    expect(texts(presence.takeChanges()?.update ?? null)).toEqual(['7@6=mine'])
    presence.remote.askAgain()
    expect(asked).toEqual(['a 7@5', 'a 7@5'])
  })

  it('N5, A3: a client of ours that another node speaks for stays ours, and its socket is pinged, once a second', async () => {
    const local = join()
    say(local, ['7@0=l', '8@0=l'])
    say(local, ['7@1=l'])
    expect(hear('b', ['7@4=evil'])).toEqual([])
    expect(hear('b', ['7@5=evil'])).toEqual([])
    expect(local.challenges).toHaveLength(1)
    local.challenges[0]?.(true)
    await turn()
    expect(texts(presence.encodeAll())).toEqual(['7@4=l'])
    expect(retold).toBe(1)
    expect(texts(presence.remote.takeRetold())).toEqual(['7@4=l'])
    presence.sweep(1_000)
    hear('b', ['7@9=evil'])
    expect(local.challenges).toHaveLength(2)
  })

  it('N5: who was told over there that a client of ours is gone is told that it is here, once it has answered', async () => {
    const local = join()
    say(local, ['7@0=l', '8@0=l'])
    say(local, ['7@1=l'])
    hear('b', ['7@4'])
    expect(presence.remote.takeRetold()).toBeNull()
    local.challenges[0]?.(true)
    await turn()
    expect(texts(presence.remote.takeRetold())).toEqual(['7@4=l'])
  })

  it('N5: asked for a client by another node, its socket is pinged; for somebody else’s, it is not ours', async () => {
    const local = join()
    say(local, ['7@0=l', '8@0=l'])
    say(local, ['7@1=l'])
    hear('b', ['9@1=b'])
    expect(presence.remote.challenged(9, 1, 0)).toBe(false)
    expect(presence.remote.challenged(X, 1, 0)).toBe(true)
    expect(local.challenges).toHaveLength(1)
    presence.leave(local, 0)
    local.challenges[0]?.(false)
    await turn()
    expect(retold).toBe(0)
    presence.takeChanges()
    expect(own()).toEqual(['7@1'])
  })
})
