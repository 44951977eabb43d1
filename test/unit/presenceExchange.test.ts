import { beforeEach, describe, expect, it } from 'vitest'
import { defaultLimits } from '../../shared/limits.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import { Presence } from '../../server/document/presence.ts'
import { PresenceExchange } from '../../server/document/presenceExchange.ts'
import { encodeChallenge, encodePresenceMessage, readPresenceMessage } from '../../server/document/presenceMessage.ts'
import type { PresenceMessage } from '../../server/document/presenceMessage.ts'

const NOBODY = new Uint8Array([0])

let now: number
let presence: Presence
let exchange: PresenceExchange
let published: PresenceMessage[]

beforeEach(() => {
  now = 1_000_000
  published = []
  presence = new Presence(defaultLimits, () => {})
  exchange = new PresenceExchange({
    presence,
    node: 'here',
    publish: (kind, bytes) => {
      const message = readPresenceMessage({ from: 'here', kind, bytes })
      if (message !== null) published.push(message)
    },
    clock: { now: () => now, endOfTurn: () => {}, after: () => () => {} },
    limits: defaultLimits,
    random: () => 0.5,
  })
})

function receive(kind: string, sequence: number, body: Uint8Array, from = 'there') {
  return exchange.receive({ from, kind, bytes: encodePresenceMessage(sequence, body) }, now)
}

function about(client: number, clock: number): Uint8Array {
  return encodeAwareness([{ client, clock, json: Buffer.from('{}') }])
}

function clients(): number {
  return presence.encodeAll()?.[0] ?? 0
}

function kinds(): string[] {
  return published.splice(0).map(({ kind }) => kind)
}

function tick(milliseconds: number): void {
  for (let passed = 0; passed < milliseconds; passed += 1_000) {
    now += 1_000
    presence.sweep(now)
    exchange.tick(now)
  }
}

describe('what nodes tell one another about presence', () => {
  it('N6: joining asks who is there, and announces those who are here', () => {
    exchange.joined()
    expect(kinds()).toEqual(['who'])
    const speaker = { challenge: () => Promise.resolve(true) }
    presence.join(speaker)
    presence.receive(speaker, [{ client: 1, clock: 1, json: Buffer.from('{}') }], 10, now)
    exchange.joined()
    expect(kinds()).toEqual(['who', 'present'])
  })

  it('N6: alone, nothing is announced; with others, every 10 s, until 60 s after they were heard last', () => {
    exchange.joined()
    tick(60_000)
    expect(kinds()).toEqual(['who'])
    receive('present', 1, NOBODY)
    tick(120_000)
    expect(kinds()).toEqual(Array.from({ length: 6 }, () => 'present'))
  })

  it('N6: questions are answered at once, but once a second', () => {
    for (let sequence = 1; sequence <= 50; sequence += 1) receive('who', sequence, new Uint8Array())
    expect(kinds()).toEqual(['present'])
    tick(1_000)
    expect(kinds()).toEqual(['present'])
    tick(1_000)
    expect(kinds()).toEqual([])
  })

  it('N6: a late or repeated message is dropped, and the next one is not', () => {
    receive('presence', 5, about(1, 1))
    receive('present', 6, NOBODY)
    expect(receive('presence', 5, about(1, 1))).toBe('fine')
    expect(clients()).toBe(0)
    receive('presence', 5, about(1, 1), 'elsewhere')
    expect(clients()).toBe(1)
    receive('presence', 7, about(2, 1))
    expect(clients()).toBe(2)
  })

  it('N6: sequences rise, also across a document that was dropped and loaded again', () => {
    exchange.joined()
    exchange.joined()
    const [first, second] = published.map(({ sequence }) => sequence)
    expect(first).toBe(1_000_000)
    expect(second).toBe(1_000_001)
  })

  it('N5: a challenge is for one node; who does not have the client answers with its list', () => {
    receive('challenge', 1, encodeChallenge({ client: 1, clock: 1, node: 'elsewhere' }))
    expect(kinds()).toEqual([])
    receive('challenge', 2, encodeChallenge({ client: 1, clock: 1, node: 'here' }))
    expect(kinds()).toEqual(['present'])
  })

  it('N5: a claim is put to the other node at once, and every second until it is decided', () => {
    receive('presence', 1, about(1, 5))
    presence.takeChanges()
    const claimant = { challenge: () => Promise.resolve(true) }
    presence.join(claimant)
    presence.receive(claimant, [{ client: 1, clock: 5, json: Buffer.from('{}') }], 10, now)
    expect(published).toEqual([{ kind: 'challenge', sequence: 1_000_000, client: 1, clock: 5, node: 'there' }])
    tick(20_000)
    expect(kinds().filter((kind) => kind === 'challenge')).toHaveLength(6)
  })

  it('N6: the end is told to others, if there are any; afterwards nothing is published or heard', () => {
    receive('presence', 1, about(1, 1))
    exchange.end()
    expect(kinds()).toEqual(['present'])
    exchange.end()
    receive('who', 2, new Uint8Array())
    tick(30_000)
    exchange.joined()
    expect(kinds()).toEqual([])
  })

  it('N7: what cannot be read is malformed and changes nothing; what is not about presence is left alone', () => {
    const whole = encodePresenceMessage(1, about(1, 1))
    for (let length = 0; length < whole.length; length += 1) {
      const bytes = whole.subarray(0, length)
      expect(exchange.receive({ from: 'there', kind: 'presence', bytes }, now)).toBe('malformed')
    }
    expect(receive('challenge', 2, new Uint8Array([1, 1, 5, 0xff]))).toBe('malformed')
    expect(receive('who', 3, new Uint8Array([0]))).toBe('malformed')
    expect(receive('present', 4, new Uint8Array([0xff, 0xff, 0xff, 0x7f]))).toBe('malformed')
    expect(receive('presence', 5, new Uint8Array(4 * defaultLimits.maxMessageBytes))).toBe('malformed')
    expect(receive('stateless', 6, new Uint8Array([0xff]))).toBe('unknown')
    expect(clients()).toBe(0)
    expect(receive('presence', 1, about(1, 1))).toBe('fine')
    expect(clients()).toBe(1)
  })
})
