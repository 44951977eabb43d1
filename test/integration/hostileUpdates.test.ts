import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { chainOfUpdates, Collaborator, collected, firstUpdate } from '../support/collaborator.ts'
import { HostileRoom, ROOM } from '../support/hostileRoom.ts'
import { concat, hex, message, protocols, string, varUint, wires } from '../support/rawMessages.ts'

const EVIL = 666
const HONEST = 4711

/** A single value in an array named "a". */
function value(any: Uint8Array): Uint8Array {
  return concat(hex('01 01'), varUint(EVIL), hex('00 08 01 01 61 01'), any, hex('00'))
}

function embed(json: string): Uint8Array {
  return concat(hex('01 01'), varUint(EVIL), hex('00 05 01 01 61'), string(json), hex('00'))
}

function nested(depth: number): Uint8Array {
  return concat(...Array.from({ length: depth }, () => hex('75 01')), hex('7f'))
}

function strangers(entries: number): Uint8Array {
  const clients = new Map(Array.from({ length: entries }, (_entry, index) => [1_000_000 + index, 1]))
  return Y.encodeStateVector(clients)
}

function inV2(update: Uint8Array): Uint8Array {
  return Y.convertUpdateFormatV1ToV2(update)
}

const bomb = hex('01 ff ff ff 0f 07 00')
const evil = firstUpdate(EVIL, 'evil')

const broken: readonly (readonly [string, Uint8Array])[] = [
  ['C17: a bomb of 2^25 announced structs', bomb],
  ['C17: a bomb of 2^53 announced blocks', hex('ff ff ff ff ff ff ff 0f 01 07 00')],
  ['C17: a bomb of announced deletes', hex('00 01 07 ff ff ff ff 0f')],
  ['C19: garbage', new Uint8Array(64).map((_byte, index) => (index * 151 + 7) % 256)],
  ['C19: an update cut short', evil.subarray(0, -3)],
  ['C19: an empty update', new Uint8Array()],
  ['C20: sound structs and a broken delete set', concat(evil.subarray(0, -1), hex('02 07 01 00'))],
  ['C20: sound structs and bytes behind the delete set', concat(evil, hex('00'))],
  ['C20: sound structs and a struct of unknown kind', concat(hex('02'), evil.subarray(1, -1), hex('01 07 00 1f 00'))],
  ['C21: an update in format V2', inV2(evil)],
  ['C21: the V2 run-length bomb', hex('00010000000001000100010200001602000001fdffffffff7f0000')],
  ['C29: arrays nested 5,000 deep', value(nested(5000))],
  ['C29: an embed nested 5,000 deep', embed('['.repeat(5000) + ']'.repeat(5000))],
  ['C29: an embed that is not JSON', embed('{"a":')],
  ['C29: two structs that wait for each other', hex('02 01 06 00 84 05 00 01 78 01 05 00 84 06 00 01 79 00')],
]

describe.each(protocols)('updates of a %s client', (protocol) => {
  const wire = wires[protocol]

  test.each(broken)(
    '%s is refused whole: 1007, not applied, stored, relayed or acknowledged',
    async (_what, update) => {
      const room = await HostileRoom.open()
      const attacker = await room.join(protocol)
      // Its handshake is acknowledged, and has to be before the attack: what counts is that nothing is after it.
      if (protocol === 'hocuspocus') await attacker.until(() => attacker.saved === 1, 'the handshake is acknowledged')
      const before = attacker.saved
      attacker.say(message.update(update))
      expect((await attacker.closed()).code).toBe(1007)
      expect(attacker.saved).toBe(before)
      await room.knowsNothingOf(EVIL, 5, 6, 7)
      expect(room.rejections).toHaveLength(1)
      expect(await room.metric('scriptorium_rejected_total{error="MALFORMED_UPDATE"}')).toBe(1)
    },
  )

  test('C18: the bomb inside a SyncStep2 is refused the same way', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.say(message.step2(bomb))
    expect((await attacker.closed()).code).toBe(1007)
    await room.knowsNothingOf(7)
  })

  test('C18: the bomb inside a SyncReply is not even looked at', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.say(concat(hex('04'), message.update(bomb).subarray(1)))
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(7)
  })

  test('C18: the bomb as the first word, while the document is still being loaded, is refused the same way', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.open(wire.path('fresh'))
    attacker.send(wire.frame('fresh', message.update(bomb)))
    expect((await attacker.closed()).code).toBe(1007)
    await room.knowsNothingOf(7)
    expect((await room.stored('fresh')).store.clients.size).toBe(0)
  })

  test('C20: honest edits in the same batch as a poisonous one are kept, each acknowledged once', async () => {
    const room = await HostileRoom.open()
    const honest = await room.join('hocuspocus')
    await honest.until(() => honest.saved === 1, 'the handshake is acknowledged')
    const attacker = await room.join(protocol)
    honest.type('a')
    attacker.say(message.update(hex('02 01 06 00 84 05 00 01 78 01 05 00 84 06 00 01 79 00')))
    honest.type('b')
    honest.type('c')
    expect((await attacker.closed()).code).toBe(1007)
    await room.knowsNothingOf(5, 6)
    expect(honest.saved).toBe(4)
    const letters = (await room.stored())
      .getText('text')
      .toString()
      .replaceAll(/\/?<\d+>/g, '') // others write in between
    expect(letters).toContain('cba')
  })

  test('C24: an update whose predecessor is unknown is not stored, relayed or acknowledged; its sender is asked, once', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol, { joins: false })
    attacker.answers = false
    const [, ...later] = chainOfUpdates(EVIL, 'x'.repeat(200))
    for (const update of later) attacker.say(message.update(update))
    await attacker.until(() => attacker.count('step1') === 1, 'the server asks')
    await room.knowsNothingOf(EVIL)
    expect(attacker.count('step1')).toBe(1)
    expect(attacker.saved).toBe(0)
    expect(attacker.raw.closeFrame).toBeNull()
  })

  test('C24: more than 256 such updates close the connection 1008', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    if (protocol === 'hocuspocus') await attacker.until(() => attacker.saved === 1, 'the handshake is acknowledged')
    attacker.answers = false
    const before = attacker.saved
    const [, ...later] = chainOfUpdates(EVIL, 'x'.repeat(300))
    for (const update of later) attacker.say(message.update(update))
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
    expect(attacker.saved).toBe(before)
    expect(await room.metric('scriptorium_rejected_total{error="LIMIT_EXCEEDED"}')).toBe(1)
  })

  test('C24: more than 1 MiB of such updates closes the connection 1008', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    const doc = new Y.Doc()
    doc.clientID = EVIL
    doc.getText('text').insert(0, 'unsent')
    doc.on('update', (update: Uint8Array) => attacker.say(message.update(update)))
    for (let count = 0; count < 5; count += 1) doc.getText('text').insert(0, 'x'.repeat(300 * 1024))
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
  })

  test('C24: more than 256 of them in answers to our question close it as well', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    const [, ...later] = chainOfUpdates(EVIL, 'x'.repeat(300))
    for (const update of later) attacker.say(message.step2(update))
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
  })

  test.each(['the same client', 'another client'])(
    'C24: the predecessor comes from %s, and all is saved, once',
    async (from) => {
      const room = await HostileRoom.open()
      const holder = await room.join(protocol)
      if (protocol === 'hocuspocus') await holder.until(() => holder.saved === 1, 'the handshake is acknowledged')
      const before = holder.saved
      holder.answers = false
      const [first, ...later] = chainOfUpdates(HONEST, 'abcdefghij')
      for (const update of later.toReversed()) holder.say(message.update(update))
      await holder.until(() => holder.count('step1') === 2, 'the server asks')
      await room.knowsNothingOf(HONEST)
      const source = from === 'the same client' ? holder : room.here.writer
      source.say(message.update(first ?? new Uint8Array()))
      const { reader } = room.here
      await reader.until(() => reader.text.includes('abcdefghij'), 'everything arrives')
      expect((await room.stored()).getText('text').toString()).toContain('abcdefghij')
      await room.staysUp()
      const ours = from === 'the same client' ? 10 : 9
      if (protocol === 'hocuspocus') expect(holder.saved - before).toBe(ours)
    },
  )

  test('C24: an honest client answers the question, and every edit is acknowledged once', async () => {
    const room = await HostileRoom.open()
    const honest = await room.join(protocol)
    if (protocol === 'hocuspocus') await honest.until(() => honest.saved === 1, 'the handshake is acknowledged')
    honest.isSending = false
    honest.type('a')
    honest.isSending = true
    for (const letter of 'bcd') honest.type(letter)
    const { reader } = room.here
    await reader.until(() => reader.text.includes('dcba'), 'everything arrives')
    await room.staysUp()
    if (protocol === 'hocuspocus') expect(honest.saved).toBe(4)
    expect((await room.stored()).getText('text').toString()).toContain('dcba')
  })

  test('C24: a proof of durability waits for what is held', async () => {
    const room = await HostileRoom.open()
    const holder = await room.join(protocol)
    holder.answers = false
    const [first, second] = chainOfUpdates(HONEST, 'ab')
    holder.say(message.update(second ?? new Uint8Array()))
    holder.say(message.probe(hex('07')))
    await room.knowsNothingOf(HONEST)
    expect(holder.count('probe')).toBe(0)
    room.here.writer.say(message.update(first ?? new Uint8Array()))
    await holder.until(() => holder.count('probe') === 1, 'the proof comes')
    expect((await room.stored()).getText('text').toString()).toContain('ab')
  })

  test('C25: deletes of what nobody wrote are held, not stored, and closed 1008 beyond 256', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.answers = false
    for (let clock = 0; clock < 200; clock += 1) {
      attacker.say(message.update(concat(hex('00 01'), varUint(EVIL), hex('01'), varUint(clock * 2), hex('01'))))
    }
    await attacker.until(() => attacker.count('step1') === 2, 'the server asks')
    await room.knowsNothingOf(EVIL)
    for (let clock = 0; clock < 100; clock += 1) {
      attacker.say(message.update(concat(hex('00 01'), varUint(EVIL), hex('01'), varUint(clock * 2), hex('01'))))
    }
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
  })

  test('C27: more structs than one update may have close the connection 1008', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.say(message.update(collected(EVIL, 1_000_001)))
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
  })

  test('C27: an update of 100,000 collected structs is stored as few bytes', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    client.say(message.update(collected(EVIL, 100_000)))
    const { reader } = room.here
    await reader.until(() => reader.hasHeardOf(EVIL), 'it arrives')
    const heard = reader.heard.flatMap((heard) => (heard.type === 'update' ? [heard.update.length] : []))
    expect(Math.max(...heard)).toBeLessThan(1000)
    await room.staysUp()
  })

  test.each([
    ['500,000 entries', strangers(500_000)],
    ['20,000 entries', strangers(20_000)],
  ])('C28: a state vector of %s closes the connection 1008', async (_what, stateVector) => {
    const room = await HostileRoom.open()
    const attacker = await room.join(protocol)
    attacker.join(stateVector)
    expect((await attacker.closed()).code).toBe(1008)
    await room.staysUp()
  })

  test('C28: a state vector above maxStateVectorBytes closes the connection 1008, however few its entries', async () => {
    const stateVector = strangers(2)
    const room = await HostileRoom.open({ limits: { maxStateVectorBytes: stateVector.length } })
    const attacker = await room.join(protocol)
    attacker.join(stateVector)
    await attacker.until(() => attacker.count('step2') === 2, 'one within the limit is answered')
    attacker.join(strangers(3))
    expect((await attacker.closed()).code).toBe(1008)
    await room.staysUp()
  })

  test('C28: whom the document knows may be named in a state vector beside maxForeignStateVectorEntries others', async () => {
    const room = await HostileRoom.open({ limits: { maxForeignStateVectorEntries: 2 } })
    await room.staysUp()
    const client = await room.join(protocol)
    const known = Y.decodeStateVector(Y.encodeStateVector(client.doc))
    expect(known.size).toBeGreaterThanOrEqual(2)
    const withStrangers = (count: number) =>
      Y.encodeStateVector(new Map([...known, ...Y.decodeStateVector(strangers(count))]))
    client.join(withStrangers(2))
    await client.until(() => client.count('step2') === 2, 'the answer comes')
    client.join(withStrangers(3))
    expect((await client.closed()).code).toBe(1008)
    await room.staysUp()
  })

  test('C28: a state vector of 5,000 strangers is answered', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    client.join(strangers(5000))
    await client.until(() => client.count('step2') === 2, 'the answer comes')
    await room.staysUp()
  })

  test('C29: values within the limit are taken', async () => {
    const room = await HostileRoom.open()
    const client = await room.join(protocol)
    client.say(message.update(value(nested(64))))
    const { reader } = room.here
    await reader.until(() => reader.hasHeardOf(EVIL), 'it arrives')
    await room.staysUp()
  })
})

test('C24: what a client held does not outlive it', async () => {
  const room = await HostileRoom.open()
  const [first, second] = chainOfUpdates(EVIL, 'ab')
  const attacker = await room.join('y-websocket')
  attacker.answers = false
  attacker.say(message.update(second ?? new Uint8Array()))
  await attacker.until(() => attacker.count('step1') === 2, 'the server asks')
  attacker.destroy()
  const other = await Collaborator.open(room.port, ROOM)
  other.say(message.update(first ?? new Uint8Array()))
  await room.here.reader.until(() => room.here.reader.hasHeardOf(EVIL), 'the first one arrives')
  await room.staysUp()
  other.destroy()
  expect(Y.decodeStateVector(Y.encodeStateVector(await room.stored())).get(EVIL)).toBe(1)
})
