import { describe, expect, test } from 'vitest'
import type { Collaborator } from '../support/collaborator.ts'
import { HostileRoom } from '../support/hostileRoom.ts'
import { concat, hex, message, protocols, states, varUint } from '../support/rawMessages.ts'
import type { RawState } from '../support/rawMessages.ts'

const VICTIM = 1001
const CROWD = 5000
const MAX = Number.MAX_SAFE_INTEGER
const HELLO = '{"name":"victim"}'

/** Somebody with presence, seen by everyone in the room. */
async function victim(room: HostileRoom): Promise<Collaborator> {
  const one = await room.join('y-websocket')
  one.announce(HELLO, 5, VICTIM)
  for (const witness of [room.here.reader, room.here.writer, one]) await seen(witness, VICTIM, HELLO)
  return one
}

function seen(witness: Collaborator, client: number, json: string): Promise<void> {
  return witness.until(() => witness.presence.get(client)?.json === json, `presence ${json.slice(0, 40)} is seen`)
}

/** Whatever was sent before has been handled, and presence of honest people works. */
async function presenceWorks(room: HostileRoom, clock = 1): Promise<void> {
  await room.staysUp()
  const json = `{"at":${String(clock)}}`
  room.here.writer.announce(json, clock)
  await seen(room.here.reader, room.here.writer.doc.clientID, json)
}

function everHeard(witness: Collaborator, test: (state: RawState) => boolean): boolean {
  return witness.heard.some((heard) => heard.type === 'awareness' && heard.entries.some((entry) => test(entry)))
}

function isAbout(client: number): (state: RawState) => boolean {
  return (state) => state.client === client
}

const impossible: readonly (readonly [string, string])[] = [
  ['C38: JSON nested 6,000 deep', `{"a":${'['.repeat(6000)}${']'.repeat(6000)}}`],
  ['C38: JSON nested 33 deep', `{"a":${'['.repeat(32)}${']'.repeat(32)}}`],
  ['C38: a state above 16 KiB', JSON.stringify({ a: 'x'.repeat(16 * 1024) })],
  ['C44: a number', '7'],
  ['C44: a string', '"hello"'],
  ['C44: an array', '[1]'],
  ['C44: a bare word', 'undefined'],
  ['C44: nothing', ''],
  ['C44: JSON cut short', '{"a":'],
  ['C44: JSON and more', '{} {}'],
]

describe.each(protocols)('presence of a %s client', (protocol) => {
  test.each(impossible)('%s is shown to nobody; the second time closes 1007', async (_what, json) => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.announce(json, 1, CROWD)
    await presenceWorks(room, 1)
    expect(attacker.raw.closeFrame).toBeNull()
    attacker.announce(json, 2, CROWD)
    expect((await attacker.closed()).code).toBe(1007)
    await presenceWorks(room, 2)
    expect(everHeard(room.here.reader, isAbout(CROWD))).toBe(false)
    expect(everHeard(room.here.writer, isAbout(CROWD))).toBe(false)
  })

  test('C38: JSON nested 32 deep is shown', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    const json = `{"a":${'['.repeat(31)}${']'.repeat(31)}}`
    client.announce(json, 1, CROWD)
    await seen(room.here.reader, CROWD, json)
  })

  test('C39: nulls about 250,000 strangers close the connection 1008', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    const gone = Array.from({ length: 250_000 }, (_state, index) => ({ client: CROWD + index, clock: 1, json: 'null' }))
    attacker.say(message.awareness(states(gone)))
    expect((await attacker.closed()).code).toBe(1008)
    await presenceWorks(room)
    expect(everHeard(room.here.reader, isAbout(CROWD))).toBe(false)
  })

  test('C39: nulls about strangers leave nothing behind, neither now nor for those who join', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    for (let batch = 0; batch < 40; batch += 1) {
      const first = CROWD + batch * 5000
      const gone = Array.from({ length: 5000 }, (_state, index) => ({ client: first + index, clock: 1, json: 'null' }))
      attacker.say(message.awareness(states(gone)))
    }
    await presenceWorks(room)
    const late = await room.join(protocol)
    await seen(late, room.here.writer.doc.clientID, '{"at":1}')
    for (const witness of [room.here.reader, late]) {
      expect(everHeard(witness, ({ client }) => client >= CROWD && client < CROWD + 200_000)).toBe(false)
    }
    expect(attacker.raw.closeFrame).toBeNull()
  })

  test('C40: of a crowd of invented users, four are shown, however many messages they come in', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    for (let batch = 0; batch < 20; batch += 1) {
      const first = CROWD + batch * 1000
      const crowd = Array.from({ length: 1000 }, (_state, index) => ({
        client: first + index,
        clock: 1,
        json: '{"u":1}',
      }))
      attacker.say(message.awareness(states(crowd)))
    }
    await presenceWorks(room)
    const { reader, writer } = room.here
    expect([...reader.presence.keys()].filter((client) => client !== writer.doc.clientID)).toHaveLength(4)
    attacker.destroy()
    await reader.until(() => reader.presence.size === 1, 'the crowd is gone with its inventor')
  })

  test('C40: an id given up does not make room for another one', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    for (let client = CROWD; client < CROWD + 50; client += 1) {
      attacker.announce('{"u":1}', 1, client)
      attacker.announce('null', 1, client)
    }
    attacker.announce('{"u":1}', 1, CROWD + 50)
    await presenceWorks(room)
    expect(everHeard(room.here.reader, ({ client }) => client >= CROWD + 4 && client <= CROWD + 50)).toBe(false)
  })

  test('C41: nobody can speak for somebody who is there, and the victim can go on speaking', async () => {
    const room = await HostileRoom.open()
    const honest = await victim(room)
    const attacker = await room.join(protocol)
    for (const clock of [6, 100, 2 ** 40, MAX]) attacker.announce('{"name":"EVIL"}', clock, VICTIM)
    attacker.announce('{"name":"attacker"}', 1, CROWD)
    attacker.announce('{"name":"EVIL"}', 7, VICTIM)
    await presenceWorks(room)
    honest.announce('{"name":"still me"}', 6, VICTIM)
    await seen(room.here.reader, VICTIM, '{"name":"still me"}')
    expect(everHeard(room.here.reader, ({ json }) => json.includes('EVIL'))).toBe(false)
    const late = await room.join(protocol)
    await seen(late, VICTIM, '{"name":"still me"}')
  })

  test('C41: a spoof that comes together with presence of its own is ignored as well', async () => {
    const room = await HostileRoom.open()
    await victim(room)
    const attacker = await room.join(protocol)
    const spoof = { client: VICTIM, clock: 100, json: '{"name":"EVIL"}' }
    attacker.say(message.awareness(states([{ client: CROWD, clock: 1, json: '{"u":1}' }, spoof])))
    await seen(room.here.reader, CROWD, '{"u":1}')
    await presenceWorks(room)
    expect(room.here.reader.presence.get(VICTIM)?.json).toBe(HELLO)
  })

  test('C42: nobody can send somebody else away', async () => {
    const room = await HostileRoom.open()
    const honest = await victim(room)
    const attacker = await room.join(protocol)
    for (const clock of [5, 6, 2 ** 40, MAX]) attacker.announce('null', clock, VICTIM)
    await presenceWorks(room)
    expect(everHeard(room.here.reader, ({ client, json }) => client === VICTIM && json === 'null')).toBe(false)
    honest.announce('{"name":"still me"}', 6, VICTIM)
    await seen(room.here.reader, VICTIM, '{"name":"still me"}')
  })

  test('C42: whoever leaves takes nobody else along', async () => {
    const room = await HostileRoom.open()
    await victim(room)
    const attacker = await room.join(protocol)
    attacker.announce('{"name":"EVIL"}', 9, VICTIM)
    attacker.announce('{"name":"attacker"}', 1, CROWD)
    await seen(room.here.reader, CROWD, '{"name":"attacker"}')
    attacker.destroy()
    await room.here.reader.until(() => !room.here.reader.presence.has(CROWD), 'the attacker is gone')
    expect(room.here.reader.presence.get(VICTIM)?.json).toBe(HELLO)
  })

  test.each([MAX, MAX - 1, 2 ** 52 + 1])('C44: clock %d is shown to nobody', async (clock) => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.announce('{"u":1}', clock, CROWD)
    await presenceWorks(room, 1)
    attacker.announce('{"u":1}', clock, CROWD)
    expect((await attacker.closed()).code).toBe(1007)
    await presenceWorks(room, 2)
    expect(everHeard(room.here.reader, isAbout(CROWD))).toBe(false)
  })

  test('C44: the highest clock allowed leaves its rightful owner room above it, in numbers that decode', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.announce('{"name":"EVIL"}', 2 ** 52, VICTIM)
    await seen(room.here.reader, VICTIM, '{"name":"EVIL"}')
    attacker.destroy()
    await room.here.reader.until(() => !room.here.reader.presence.has(VICTIM), 'the attacker is gone')
    const owner = await room.join('y-websocket')
    for (let clock = 1; clock < 5; clock += 1) {
      const json = `{"name":"owner ${String(clock)}"}`
      owner.announce(json, clock, VICTIM)
      await seen(room.here.reader, VICTIM, json)
    }
    expect(room.here.reader.presence.get(VICTIM)?.clock).toBeLessThan(MAX)
  })

  test('C44: ids beyond 2^32 are ids like others', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    client.announce('{"u":1}', 1, 2 ** 53 - 1)
    await seen(room.here.reader, 2 ** 53 - 1, '{"u":1}')
    await room.staysUp()
  })

  test('C44: numbers beyond 2^53 are undecodable: 1007', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.say(message.awareness(concat(hex('01'), hex('ff ff ff ff ff ff ff 7f'), varUint(1), hex('02 7b 7d'))))
    expect((await attacker.closed()).code).toBe(1007)
    await presenceWorks(room)
  })

  test('C44: sound states beside an impossible one are shown', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    const mixed = [
      { client: CROWD, clock: 1, json: '[]' },
      { client: CROWD + 1, clock: 1, json: '{"u":1}' },
    ]
    client.say(message.awareness(states(mixed)))
    await seen(room.here.reader, CROWD + 1, '{"u":1}')
    await presenceWorks(room)
    expect(everHeard(room.here.reader, isAbout(CROWD))).toBe(false)
    expect(client.raw.closeFrame).toBeNull()
  })

  test('C44: keys named __proto__ pass as they are and change nobody', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    client.announce('{"__proto__":{"admin":true}}', 1, CROWD)
    await seen(room.here.reader, CROWD, '{"__proto__":{"admin":true}}')
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  test('C68: questions for the presence of a large room are answered once for many', async () => {
    const room = await HostileRoom.open()
    for (let index = 0; index < 16; index += 1) {
      const guest = await room.join('y-websocket')
      const big = JSON.stringify({ index, fill: 'x'.repeat(15_000) })
      for (let id = 0; id < 4; id += 1) guest.announce(big, 1, CROWD + index * 4 + id)
    }
    const { reader } = room.here
    await reader.until(() => reader.presence.size === 64, 'everybody is seen')
    const attacker = await room.join(protocol)
    await attacker.until(() => attacker.presence.size === 64, 'the attacker sees everybody')
    const before = attacker.raw.bytesReceived
    const question = attacker.wire.frame(attacker.address, message.queryAwareness)
    attacker.raw.socket.cork()
    for (let count = 0; count < 500; count += 1) attacker.raw.send(question)
    attacker.raw.socket.uncork()
    await attacker.until(() => attacker.raw.bytesReceived > before + 900_000, 'an answer comes')
    await presenceWorks(room)
    expect(attacker.raw.closeFrame).toBeNull()
    expect(attacker.raw.bytesReceived - before).toBeLessThan(8_000_000)
  })
})
