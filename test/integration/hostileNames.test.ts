import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { hurriedClock } from '../support/clocks.ts'
import { Collaborator, firstUpdate } from '../support/collaborator.ts'
import { HostileRoom, ROOM } from '../support/hostileRoom.ts'
import { rawRequest, upgradeRequest } from '../support/rawClient.ts'
import { concat, hex, message, string, varUint } from '../support/rawMessages.ts'

const LONGEST = 'n'.repeat(512)
const TOO_LONG = 'n'.repeat(513)

const odd: readonly (readonly [string, string])[] = [
  ['C58: __proto__', '__proto__'],
  ['C58: constructor', 'constructor'],
  ['C58: toString', 'toString'],
  ['C58: hasOwnProperty', 'hasOwnProperty'],
  ['C59: a path upwards', '../../etc/passwd'],
  ['C59: an absolute path', '/etc/passwd'],
  ['C59: one dot', '.'],
  ['C59: an escape that is not decoded twice', '%2e%2e%2f'],
  ['C59: a lone percent sign, escaped', '%'],
  ['C59: a space', ' '],
  ['C59: a right-to-left override', 'a\u202egnp.exe'],
  ['C59: the highest character', '\u{10ffff}'],
  ['C59: U+FFFF', '\uffff'],
  ['C59: a byte-order mark', '\ufeff'],
  ['C59: 512 bytes', LONGEST],
]

async function open(room: HostileRoom, name: string, protocol: 'y-websocket' | 'hocuspocus'): Promise<Collaborator> {
  return Collaborator.open(room.port, name, { protocol })
}

test.each(odd)('%s is a document like others, the same one by both protocols', async (_what, name) => {
  const room = await HostileRoom.open()
  const writer = await open(room, name, 'y-websocket')
  const reader = await open(room, name, 'hocuspocus')
  writer.type(`this is ${name}`)
  await reader.until(() => reader.text === `this is ${name}`, 'the edit arrives')
  expect(room.host.server.documents.names()).toContain(name)
  expect((await room.stored(name)).getText('text').toString()).toBe(`this is ${name}`)
  const read = new Y.Doc()
  Y.applyUpdate(read, await room.host.server.documents.read(name))
  expect(read.getText('text').toString()).toBe(`this is ${name}`)
  writer.destroy()
  reader.destroy()
  await room.staysUp()
  expect(room.here.reader.text).not.toContain('this is')
})

test('C59: the two normal forms of a letter are two documents', async () => {
  const room = await HostileRoom.open()
  const composed = await open(room, '\u00e9', 'y-websocket')
  composed.type('composed')
  await composed.until(() => composed.count('update') === 1, 'it is saved')
  const decomposed = await open(room, 'e\u0301', 'y-websocket')
  expect(decomposed.text).toBe('')
  composed.destroy()
  decomposed.destroy()
})

describe('names in URLs', () => {
  test.each([
    ['/..%2f..%2fetc%2fpasswd', '../../etc/passwd'],
    ['/../../etc/passwd', '../../etc/passwd'],
    ['//etc/passwd', '/etc/passwd'],
    ['/a%2fb', 'a/b'],
    ['/%5f%5fproto%5f%5f', '__proto__'],
    ['/a?b=%00', 'a'],
    ['/a#b', 'a'],
  ])('C59: %s is document %s', async (path, name) => {
    const room = await HostileRoom.open()
    const client = await room.open(path)
    client.send(concat(message.step1(varUint(0)), message.update(firstUpdate(4711, 'here'))))
    const reader = await open(room, name, 'hocuspocus')
    await reader.until(() => reader.text === 'here', 'the edit arrives')
    reader.destroy()
    await room.staysUp()
  })

  test.each(['/%', '/%ff', '/a%', '/%zz', '/%ed%a0%80', '/%c0%af'])('C59: %s is refused 400', async (path) => {
    const room = await HostileRoom.open()
    expect(await rawRequest(room.port, upgradeRequest(path))).toMatch(/^HTTP\/1.1 400 /)
    expect(await room.metric('scriptorium_refused_total{status="400"}')).toBe(1)
    await room.staysUp()
  })

  test.each([
    ['a NUL', '/a%00b'],
    ['a newline', '/a%0ab'],
    ['a carriage return', '/a%0d'],
    ['an escape sequence', '/%1b%5b31m'],
    ['DEL', '/%7f'],
    ['513 bytes', `/${TOO_LONG}`],
    ['513 bytes in fewer characters', `/${'%c3%a9'.repeat(256)}n`],
    ['5,000 characters', `/${'n'.repeat(5000)}`],
    ['no name', '/'],
    ['no name but parameters', '/?a=b'],
  ])('C59: %s: told so once, closed 4400, no document', async (_what, path) => {
    const room = await HostileRoom.open({ clock: hurriedClock })
    const client = await room.open(path)
    const before = room.host.server.documents.names()
    // As its client does: everything in one go. Only the first word is answered.
    client.write(Buffer.concat(firstWords()))
    expect((await client.closed()).code).toBe(4400)
    expect(client.messages).toHaveLength(1)
    expect([...(client.messages[0] ?? [])].slice(0, 2)).toEqual([2, 0])
    expect(room.host.server.documents.names()).toEqual(before)
    expect(room.rejections).toHaveLength(1)
    expect(JSON.stringify(room.lines)).not.toContain('nnnn')
    await room.staysUp()
  })

  test('C59: a Hocuspocus client may have any path, as it does not mean a document', async () => {
    const room = await HostileRoom.open()
    const client = await room.open('/a%00b')
    client.send(concat(string(ROOM), message.step1(varUint(0))))
    await client.until(() => client.messages.length === 2, 'it is answered')
    await room.staysUp()
  })
})

describe('Hocuspocus addresses', () => {
  test.each([
    ['no name', ''],
    ['no name but a session', '\0session'],
    ['a newline', 'a\nb'],
    ['513 bytes', TOO_LONG],
    ['513 bytes before a session', `${TOO_LONG}\0s`],
    ['5,000 characters', 'n'.repeat(5000)],
    ['a session of 513 bytes', `a\0${TOO_LONG}`],
  ])('C59: %s: permission denied for that document; the socket and its others go on', async (_what, address) => {
    const room = await HostileRoom.open()
    const client = await open(room, ROOM, 'hocuspocus')
    const before = room.host.server.documents.names()
    client.raw.send(concat(string(address), message.step1(varUint(0))))
    await client.until(() => client.addresses.has(address), 'it is answered')
    const denied = client.raw.messages.filter((frame) =>
      frame.subarray(0, string(address).length).equals(string(address)),
    )
    expect(denied.map((frame) => [...frame.subarray(string(address).length)].slice(0, 2))).toEqual([[2, 1]])
    expect(room.host.server.documents.names()).toEqual(before)
    client.type('still here')
    await room.here.reader.until(() => room.here.reader.text.includes('still here'), 'its other document works')
    expect(client.raw.closeFrame).toBeNull()
    client.destroy()
    await room.staysUp()
  })

  test('C59: an address that is not UTF-8 is undecodable: 1007', async () => {
    const room = await HostileRoom.open()
    const client = await open(room, ROOM, 'hocuspocus')
    client.raw.send(concat(hex('02 c3 28'), message.step1(varUint(0))))
    expect((await client.closed()).code).toBe(1007)
    await room.staysUp()
  })

  test('C59: a\\0b is document a, session b, and every reply carries exactly that address', async () => {
    const room = await HostileRoom.open()
    const one = await Collaborator.open(room.port, ROOM, { protocol: 'hocuspocus', address: `${ROOM}\0one` })
    const two = await Collaborator.open(room.port, ROOM, { protocol: 'hocuspocus', address: `${ROOM}\0two\0and more` })
    one.announce('{"u":1}', 1)
    one.type('from one')
    await two.until(() => two.text.includes('from one') && two.presence.size === 1, 'both arrive')
    await room.here.reader.until(() => room.here.reader.text.includes('from one'), 'it is the same document')
    await one.until(() => one.saved === 2, 'it is acknowledged')
    expect([...one.addresses]).toEqual([`${ROOM}\0one`])
    expect([...two.addresses]).toEqual([`${ROOM}\0two\0and more`])
    expect([...room.here.reader.addresses]).toEqual([ROOM])
    expect(room.host.server.documents.names()).not.toContain(`${ROOM}\0one`)
    one.destroy()
    two.destroy()
    await room.staysUp()
  })

  test('C59: two sessions of one document on one socket are told apart', async () => {
    const room = await HostileRoom.open()
    const client = await Collaborator.open(room.port, ROOM, { protocol: 'hocuspocus', address: `${ROOM}\0one` })
    const other = `${ROOM}\0two`
    client.raw.send(concat(string(other), message.step1(varUint(0))))
    await client.until(() => client.addresses.has(other), 'the second one is answered')
    client.raw.send(concat(string(other), hex('07'))) // and closed again
    client.type('one goes on')
    await room.here.reader.until(() => room.here.reader.text.includes('one goes on'), 'the first one works')
    await client.until(() => client.saved === 2, 'and is acknowledged')
    const frames = client.raw.messages.filter((frame) => frame.subarray(1).toString().startsWith(other))
    expect(frames.map((frame) => frame[string(other).length])).toEqual([0, 0])
    client.destroy()
    await room.staysUp()
  })
})

/** What a y-websocket client sends in one go when it has connected, plus an edit. */
function firstWords(): Buffer[] {
  return [message.step1(varUint(0)), message.awareness(hex('00')), message.update(firstUpdate(666, 'evil'))].map(
    (body) => Buffer.concat([hex('82'), Uint8Array.of(0x80 | body.length), hex('00 00 00 00'), body]),
  )
}
