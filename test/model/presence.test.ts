import { afterEach, describe, expect, it } from 'vitest'
import { Presence } from '../../server/document/presence.ts'
import { ProtocolViolationError } from '../../shared/errors.ts'
import { defaultLimits } from '../../shared/limits.ts'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import { runPresenceHistory } from './presenceHistory.ts'
import { oneState, PresenceRoom, Wire } from './presenceRoom.ts'
import { forSeeds, fromEnvironment } from './random.ts'

const RUNS = fromEnvironment('MODEL_RUNS', 400)
const FIRST = fromEnvironment('MODEL_SEED', 1)

let room = new PresenceRoom()

function freshRoom(): PresenceRoom {
  room = new PresenceRoom()
  return room
}

afterEach(() => room.destroy())

describe('presence among real y-protocols clients', () => {
  it(`A1-A9, P4: ${RUNS} random histories end with everybody seeing exactly who is there`, async () => {
    await forSeeds({ name: 'presence history', runs: RUNS, first: FIRST }, (seed) => runPresenceHistory(seed))
  })

  it('A6: a returning client is visible at once, and its adopting the raised clock is not told again', async () => {
    const { peer, returning } = await twoClients()
    room.disconnect(returning)
    await room.drain()
    expect(peer.awareness.getStates().has(returning.id)).toBe(false)
    room.connect(returning)
    await room.drain() // throws when the raised clock goes round
    expect(peer.awareness.getStates().get(returning.id)).toEqual({ owner: 2, value: 1 })
  })

  it('A6: a client that never adopted its raised clock comes back, changes at once, and ends with its newest state', async () => {
    const { peer, returning } = await twoClients()
    room.disconnect(returning)
    room.connect(returning)
    if (returning.wire !== null) room.deliverUp(returning.wire)
    room.beat()
    room.disconnect(returning) // the raised clock is still under way, and lost
    room.connect(returning)
    returning.change(room.now)
    await room.drain()
    expect(peer.awareness.getStates().get(returning.id)).toEqual({ owner: 2, value: 2 })
    expect(returning.awareness.getLocalState()).toEqual({ owner: 2, value: 2 })
  })

  it('A4: leaving does not raise the clock', async () => {
    const { peer, returning } = await twoClients()
    const clock = peer.awareness.meta.get(returning.id)?.clock
    room.disconnect(returning)
    expect(room.beat()).toEqual([{ client: returning.id, clock, json: new Uint8Array(Buffer.from('null')) }])
  })

  it('A3, C41, C42: neither spoofing nor killing changes what the room is told of a living client', async () => {
    const { returning: victim } = await twoClients()
    const attacker = new Wire(room.now)
    room.wires.add(attacker)
    const before = room.told()
    for (const clock of [0, 1, 5, 2 ** 31, Number.MAX_SAFE_INTEGER - 1]) {
      room.say(attacker, oneState(victim.id, clock, { owner: 'evil' }))
      room.say(attacker, oneState(victim.id, clock, null))
      await room.answerChallenges()
    }
    expect(room.beat()).toEqual([])
    expect(room.told()).toEqual(before)
  })

  it('A5: a dead owner is found out by its own client coming back', async () => {
    const { peer, returning } = await twoClients()
    room.cut(returning)
    returning.change(room.now)
    room.connect(returning)
    await room.drain()
    expect(peer.awareness.getStates().get(returning.id)).toEqual({ owner: 2, value: 2 })
  })

  it('A7: a state not renewed for presenceTimeoutMs is removed although the socket lives', async () => {
    await twoClients()
    room.presence.sweep(defaultLimits.presenceTimeoutMs - 1)
    expect(room.told().size).toBe(2)
    room.presence.sweep(defaultLimits.presenceTimeoutMs)
    expect(room.told().size).toBe(0)
  })

  it('A8, C40: at most maxPresencesPerSession ids per session', () => {
    const wire = new Wire(0)
    freshRoom().wires.add(wire)
    room.presence.join(wire)
    const states = Array.from({ length: 1000 }, (_, client) => ({ client, clock: 1, json: Buffer.from('{}') }))
    room.say(wire, encodeAwareness(states))
    expect(room.told().size).toBe(defaultLimits.maxPresencesPerSession)
  })

  it('A3, C39: what the room is told may be sent back at once, however much that is; three times as much may not', () => {
    const limits = { ...defaultLimits, maxAwarenessBytes: 100 }
    const presence = new Presence(limits, () => {})
    const speakers = Array.from({ length: 10 }, () => new Wire(0))
    for (const speaker of speakers) presence.join(speaker)
    for (const [client, speaker] of speakers.entries()) {
      presence.receive(speaker, [{ client, clock: 1, json: Buffer.from(`{"a":"${'x'.repeat(80)}"}`) }], 90, 0)
    }
    const [echoing = new Wire(0)] = speakers
    const echo = presence.encodeAll()?.length ?? 0
    expect(echo).toBeGreaterThan(8 * limits.maxAwarenessBytes)
    expect(presence.receive(echoing, [], echo, 0)).toBe('fine')
    expect(() => presence.receive(echoing, [], 3 * echo, 0)).toThrow(ProtocolViolationError)
  })

  it('A9, C39: departed ids are bounded in number and forgotten in time', () => {
    freshRoom()
    for (let id = 1; id <= 1500; id += 1) {
      const wire = new Wire(0)
      room.presence.join(wire)
      room.say(wire, oneState(id, 7, { id }))
      room.presence.leave(wire, 0)
    }
    room.presence.sweep(1)
    // Remembered: an old clock in a bundle is ignored. Forgotten: it is news. The first 500 are the oldest.
    const isRemembered = (id: number): boolean => {
      const wire = new Wire(0)
      room.presence.join(wire)
      room.say(
        wire,
        encodeAwareness([
          { client: id, clock: 3, json: Buffer.from('{}') },
          { client: 9999, clock: 0, json: Buffer.from('{}') },
        ]),
      )
      const remembered = !room.told().has(id)
      room.presence.leave(wire, 1)
      return remembered
    }
    expect([isRemembered(1), isRemembered(499), isRemembered(502), isRemembered(1500)]).toEqual([
      false,
      false,
      true,
      true,
    ])
    room.presence.sweep(60_001)
    expect(isRemembered(1500)).toBe(false)
  })
})

async function twoClients() {
  freshRoom()
  const peer = room.add(1, true)
  const returning = room.add(2, true)
  for (const client of [peer, returning]) {
    room.connect(client)
    client.change(room.now)
  }
  await room.drain()
  expect(peer.awareness.getStates().size).toBe(2)
  return { peer, returning }
}
