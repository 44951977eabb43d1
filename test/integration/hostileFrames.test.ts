import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { StoppedClock } from '../support/clocks.ts'
import { eventually } from '../support/eventually.ts'
import { HostileRoom, ROOM } from '../support/hostileRoom.ts'
import { rawRequest, upgradeRequest } from '../support/rawClient.ts'
import { encodeFrame, Opcode } from '../support/rawFrames.ts'
import { concat, hex, message, protocols, string, varUint, wires } from '../support/rawMessages.ts'
import { collected, firstUpdate } from '../support/collaborator.ts'

const MIB = 1024 * 1024
const EVIL = 666
const nothing = new Uint8Array()

describe.each(protocols)('frames of a %s client', (protocol) => {
  const wire = wires[protocol]
  /** A frame that is sound in itself and must not be acted upon, as it follows a broken one. */
  const edit = encodeFrame(Opcode.binary, wire.frame(ROOM, message.update(firstUpdate(EVIL, 'evil'))))

  test.each([
    ['C1: a reserved bit', encodeFrame(Opcode.binary, hex('00'), { reserved: 0x40 }), 1002],
    ['C1: a reserved opcode', encodeFrame(3, hex('00')), 1002],
    ['C1: a reserved control opcode', encodeFrame(11, nothing), 1002],
    ['C1: a frame without mask', encodeFrame(Opcode.binary, hex('00'), { masked: false }), 1002],
    ['C1: a fragmented ping', encodeFrame(Opcode.ping, nothing, { fin: false }), 1002],
    ['C1: a continuation of nothing', encodeFrame(Opcode.continuation, hex('00')), 1002],
    ['C2: text that is not UTF-8', encodeFrame(Opcode.text, hex('c3 28')), 1007],
    ['C2: a text frame', encodeFrame(Opcode.text, Buffer.from('hello')), 1003],
    ['C13: a ping of 126 bytes', encodeFrame(Opcode.ping, new Uint8Array(126)), 1002],
    ['C13: close code 1005', encodeFrame(Opcode.close, hex('03 ed')), 1002],
    ['C13: close code 1006', encodeFrame(Opcode.close, hex('03 ee')), 1002],
    ['C13: close code 999', encodeFrame(Opcode.close, hex('03 e7')), 1002],
    ['C13: close code 5000', encodeFrame(Opcode.close, hex('13 88')), 1002],
    ['C13: a close frame of 1 byte', encodeFrame(Opcode.close, hex('03')), 1002],
    ['C13: a close reason of 124 bytes', encodeFrame(Opcode.close, concat(hex('03 e8'), new Uint8Array(124))), 1002],
    ['C13: a close reason that is not UTF-8', encodeFrame(Opcode.close, hex('03 e8 c3 28')), 1007],
  ])('%s closes its connection only', async (_what, bytes, code) => {
    const room = await HostileRoom.open()
    const attacker = await room.attacker(protocol)
    attacker.write(concat(bytes, edit))
    const closed = await attacker.closed()
    expect(closed.code).toBe(code)
    expect(Buffer.byteLength(closed.reason)).toBeLessThanOrEqual(123)
    expect(attacker.frames.at(-1)?.opcode).toBe(Opcode.close)
    await room.knowsNothingOf(EVIL)
  })

  test('C1: nothing follows the close frame, not even the echo of an edit made just before', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.attacker(protocol)
    const good = encodeFrame(Opcode.binary, wire.frame(ROOM, message.update(firstUpdate(4711, 'the last word'))))
    attacker.write(concat(good, encodeFrame(3, nothing)))
    const { reader } = room.here
    await reader.until(() => reader.text.includes('the last word'), 'the edit is taken')
    await attacker.until(() => attacker.closeFrame !== null, 'the server closes')
    await room.staysUp()
    expect(attacker.frames.at(-1)?.opcode).toBe(Opcode.close)
  })

  test('C3: a frame above the limit is refused by its header, before any of it is there', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.attacker(protocol)
    attacker.write(encodeFrame(Opcode.binary, nothing, { announced: 105 * MIB }))
    expect((await attacker.closed()).code).toBe(1009)
    await room.knowsNothingOf(EVIL)
  })

  test('C3: many frames of one message count together', async () => {
    const room = await HostileRoom.open({ maxMessageBytes: 1024 * 1024 })
    const attacker = await room.attacker(protocol)
    const part = new Uint8Array(MIB / 2)
    attacker.write(encodeFrame(Opcode.binary, part, { fin: false }))
    attacker.write(encodeFrame(Opcode.continuation, part, { fin: false }))
    attacker.write(encodeFrame(Opcode.continuation, hex('00'), { fin: false }))
    expect((await attacker.closed()).code).toBe(1009)
    await room.staysUp()
  })

  test('C4: a message of 1-byte fragments without end is closed 1008 at the limit', async () => {
    const room = await HostileRoom.open()
    const attackers = await Promise.all(Array.from({ length: 20 }, () => room.attacker(protocol)))
    const fragment = encodeFrame(Opcode.continuation, hex('00'), { fin: false })
    const flood = concat(
      encodeFrame(Opcode.binary, hex('00'), { fin: false }),
      ...Array.from({ length: 2000 }, () => fragment),
    )
    for (const attacker of attackers) attacker.write(flood)
    for (const attacker of attackers) expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
  })

  test('C4: empty fragments count as well', async () => {
    const room = await HostileRoom.open()
    const attacker = await room.attacker(protocol)
    const fragment = encodeFrame(Opcode.continuation, nothing, { fin: false })
    attacker.write(
      concat(encodeFrame(Opcode.binary, nothing, { fin: false }), ...Array.from({ length: 2000 }, () => fragment)),
    )
    expect((await attacker.closed()).code).toBe(1008)
    await room.staysUp()
  })

  test('C4: a frame that dribbles in byte by byte is closed 1008 at the limit of buffered chunks', async () => {
    const room = await HostileRoom.open({ limits: { maxBufferedChunks: 16 } })
    const attacker = await room.attacker(protocol)
    attacker.write(encodeFrame(Opcode.binary, nothing, { announced: 10_000 }))
    let sent = 0
    await eventually(() => {
      if (attacker.closeFrame === null && sent < 2000) attacker.write(Uint8Array.of(sent++ % 256))
      return attacker.closeFrame !== null
    }, 'it is closed')
    expect((await attacker.closed()).code).toBe(1008)
    await room.knowsNothingOf(EVIL)
  })

  test('C4: a fragmented edit within the limit is one edit', async () => {
    const room = await HostileRoom.open()
    const client = await room.attacker(protocol)
    const bytes = wire.frame(ROOM, message.update(firstUpdate(4711, 'in pieces')))
    client.write(encodeFrame(Opcode.binary, bytes.subarray(0, 1), { fin: false }))
    for (const byte of bytes.subarray(1, -1)) {
      client.write(encodeFrame(Opcode.continuation, Uint8Array.of(byte), { fin: false }))
      client.write(encodeFrame(Opcode.ping, nothing)) // control frames may stand between fragments
    }
    client.write(encodeFrame(Opcode.continuation, bytes.subarray(-1)))
    const { reader } = room.here
    await reader.until(() => reader.text.includes('in pieces'), 'the edit arrives')
  })

  const bodies: readonly (readonly [string, Uint8Array])[] = [
    ['C6: nothing', nothing],
    ['C6: a type and no more', hex('00')],
    ['C6: a truncated varint', hex('00 00 ff ff ff ff')],
    ['C6: twenty times ff', new Uint8Array(20).fill(0xff)],
    ['C6: a varint above 2^53', hex('ff ff ff ff ff ff ff 7f')],
    ['C7: bytes announced and not there', hex('00 02 80 80 80 80 08 01 02 03')],
    ['C7: a state vector announced and not there', hex('00 00 ff ff ff ff 0f')],
    ['C7: an awareness update announced and not there', hex('01 ff ff ff ff 07 00')],
    ['C7: awareness states announced and not there', hex('01 05 ff ff ff ff 07')],
    ['C8: an unknown sync message', hex('00 63 00')],
    ['C10: bytes behind a message', hex('00 02 02 00 00 63')],
  ]

  test.each(bodies)('%s is undecodable: 1007, one log line, one more on the counter', async (_what, body) => {
    const room = await HostileRoom.open()
    const attacker = await room.attacker(protocol)
    attacker.send(wire.frame(ROOM, body))
    attacker.write(edit)
    expect((await attacker.closed()).code).toBe(1007)
    await room.knowsNothingOf(EVIL)
    expect(room.rejections).toHaveLength(1)
    expect(room.rejections[0]).toMatchObject({ code: 1007, error: 'MALFORMED_FRAME' })
    expect(await room.metric('scriptorium_rejected_total{error="MALFORMED_FRAME"}')).toBe(1)
  })

  test('C6: of many undecodable frames a second, only a few are logged, and all are counted', async () => {
    const room = await HostileRoom.open({ clock: new StoppedClock() })
    for (let count = 0; count < 30; count += 1) {
      const attacker = await room.attacker(protocol)
      attacker.send(wire.frame(ROOM, hex('00 63')))
      expect((await attacker.closed()).code).toBe(1007)
    }
    expect(room.rejections.length).toBeLessThan(10)
    expect(await room.metric('scriptorium_rejected_total{error="MALFORMED_FRAME"}')).toBe(30)
    await room.staysUp()
  })

  test('C8: a message of unknown type is ignored and counted; the connection goes on', async () => {
    const room = await HostileRoom.open()
    const client = await room.attacker(protocol)
    client.send(wire.frame(ROOM, hex('4d 01 02 03')))
    client.send(wire.frame(ROOM, hex('05 01 61'))) // Hocuspocus' stateless message: known, and of no use here
    client.send(wire.frame(ROOM, message.update(firstUpdate(4711, 'after 77'))))
    const { reader } = room.here
    await reader.until(() => reader.text.includes('after 77'), 'the edit behind it arrives')
    expect(await room.metric(`scriptorium_ignored_messages_total{protocol="${protocol}"}`)).toBe(2)
    expect(client.closeFrame).toBeNull()
    await room.staysUp()
  })

  test.each([
    ['SyncReply', concat(hex('04'), message.update(firstUpdate(EVIL, 'evil')).subarray(1))],
    ['BroadcastStateless', concat(hex('06'), string('boo'))],
    ['SyncStatus', hex('08 01')],
    ['Authenticated', concat(hex('02 02'), string('read-write'))],
    ['PermissionDenied', concat(hex('02 01'), string('no'))],
  ])('C9: %s may only be said by a server: 1008, and nobody hears of it', async (_what, body) => {
    const room = await HostileRoom.open()
    const before = room.here.reader.heard.length
    const attacker = await room.attacker(protocol)
    attacker.send(wire.frame(ROOM, body))
    attacker.write(edit)
    expect((await attacker.closed()).code).toBe(1008)
    const heard = room.here.reader.heard.slice(before)
    expect(heard.filter(({ type }) => type === 'other' || type === 'auth')).toEqual([])
    await room.knowsNothingOf(EVIL)
    expect(await room.metric('scriptorium_rejected_total{error="PROTOCOL_VIOLATION"}')).toBe(1)
  })

  test('C14: a flood of pings is closed 1008', async () => {
    const room = await HostileRoom.open({ clock: new StoppedClock() })
    const attacker = await room.attacker(protocol)
    const ping = encodeFrame(Opcode.ping, new Uint8Array(125))
    attacker.write(concat(...Array.from({ length: 3000 }, () => ping)))
    expect((await attacker.closed()).code).toBe(1008)
    expect(attacker.frames.filter(({ opcode }) => opcode === Opcode.pong).length).toBeLessThanOrEqual(100)
    await room.staysUp()
  })

  test('C14: a flood of pongs nobody asked for is closed 1008', async () => {
    const room = await HostileRoom.open({ clock: new StoppedClock() })
    const attacker = await room.attacker(protocol)
    const pong = encodeFrame(Opcode.pong, new Uint8Array(125))
    attacker.write(concat(...Array.from({ length: 3000 }, () => pong)))
    expect((await attacker.closed()).code).toBe(1008)
    await room.staysUp()
  })

  test('C14: some pings are answered, each with its own bytes', async () => {
    const room = await HostileRoom.open()
    const client = await room.attacker(protocol)
    for (let count = 0; count < 20; count += 1) client.write(encodeFrame(Opcode.ping, hex('0a0b')))
    const pongs = (): number => client.frames.filter(({ opcode }) => opcode === Opcode.pong).length
    await client.until(() => pongs() === 20, 'all pings are answered')
  })
})

test('C6: the first frame of a connection may be as broken as any other', async () => {
  const room = await HostileRoom.open()
  for (const first of [
    '',
    '01 64',
    'ff ff ff ff 0f 01',
    '00',
    '00 00',
    '80',
    '00 07',
    'ffffffffffffffffffffffffffffffffffffffff',
  ]) {
    const attacker = await room.open(`/${ROOM}`)
    attacker.send(hex(first))
    expect((await attacker.closed()).code).toBe(1007)
  }
  await room.knowsNothingOf(EVIL)
})

test('C10: several messages in one y-websocket frame are taken all', async () => {
  const room = await HostileRoom.open()
  const client = await room.attacker('y-websocket')
  const first = message.update(firstUpdate(71, 'one '))
  const second = message.update(firstUpdate(72, 'two '))
  client.send(concat(first, message.probe(hex('2a')), second))
  const { reader } = room.here
  await reader.until(() => reader.text.includes('one ') && reader.text.includes('two '), 'both arrive')
  expect(client.closeFrame).toBeNull()
})

test.each([
  ['an unknown sync message', hex('00 63 00'), 1007],
  ['an update that is none', message.update(hex('01 ff ff ff 0f 07 00')), 1007],
  ['a state vector that is none', message.step1(hex('05 01')), 1007],
  ['presence that is none', message.awareness(hex('05')), 1007],
  ['what only a server may say', hex('08 01'), 1008],
  ['an unknown message, of which nobody knows the length', hex('4d'), 1007],
])('C10: several messages in one y-websocket frame, one of which is %s, are taken none', async (_what, bad, code) => {
  const room = await HostileRoom.open()
  const attacker = await room.attacker('y-websocket')
  attacker.send(concat(message.update(firstUpdate(EVIL, 'half')), bad))
  expect((await attacker.closed()).code).toBe(code)
  await room.knowsNothingOf(EVIL)
})

test.each([
  ['an update that is none', message.update(hex('01 ff ff ff 0f 07 00'))],
  ['a state vector that is none', message.step1(hex('05 01'))],
  ['presence that is none', message.awareness(hex('05'))],
])('C10: several messages in one y-websocket frame, the first of which is %s, are taken none', async (_what, bad) => {
  const room = await HostileRoom.open()
  const attacker = await room.attacker('y-websocket')
  attacker.send(concat(bad, message.update(firstUpdate(EVIL, 'half'))))
  expect((await attacker.closed()).code).toBe(1007)
  await room.knowsNothingOf(EVIL)
})

test.each([
  ['an update of too many structs', message.update(collected(EVIL, 101))],
  [
    'a state vector of too many bytes',
    message.step1(
      Y.encodeStateVector(
        new Map([
          [EVIL, 1],
          [EVIL + 1, 1],
        ]),
      ),
    ),
  ],
])('C10: several messages in one y-websocket frame, one of which is %s, are taken none', async (_what, bad) => {
  const room = await HostileRoom.open({ limits: { maxStructsPerUpdate: 100, maxStateVectorBytes: 6 } })
  const attacker = await room.open(`/${ROOM}`)
  attacker.send(concat(message.update(firstUpdate(EVIL, 'half')), bad))
  expect((await attacker.closed()).code).toBe(1008)
  await room.knowsNothingOf(EVIL)
})

describe('C12: handshakes', () => {
  const without = (line: RegExp): string => upgradeRequest(`/${ROOM}`).replace(line, '')

  test.each([
    ['no key', without(/Sec-WebSocket-Key.*\r\n/), '400'],
    ['a key of the wrong length', upgradeRequest(`/${ROOM}`).replace(/Key: .*\r\n/, 'Key: abc\r\n'), '400'],
    ['two keys', upgradeRequest(`/${ROOM}`, ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']), '400'],
    ['version 12', upgradeRequest(`/${ROOM}`).replace('Version: 13', 'Version: 12'), '400'],
    ['Upgrade: h2c', upgradeRequest(`/${ROOM}`).replace('Upgrade: websocket', 'Upgrade: h2c'), '400'],
    ['POST', upgradeRequest(`/${ROOM}`).replace('GET', 'POST'), '405'],
    ['2,001 headers before the key', tooManyHeaders(), '400'],
    ['a header of 64 KiB', upgradeRequest(`/${ROOM}`, [`X-Long: ${'x'.repeat(65_536)}`]), '431'],
    ['a subprotocol that is none', upgradeRequest(`/${ROOM}`, ['Sec-WebSocket-Protocol: ,,']), '400'],
    ['something that is not HTTP', 'BREW coffee\r\n\r\n', '400'],
  ])('%s is refused with an HTTP error', async (_what, request, status) => {
    const room = await HostileRoom.open()
    expect(await rawRequest(room.port, request)).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    await room.staysUp()
  })

  test('CONNECT is closed', async () => {
    const room = await HostileRoom.open()
    expect(await rawRequest(room.port, 'CONNECT evil.example:80 HTTP/1.1\r\nHost: evil.example\r\n\r\n')).not.toContain(
      ' 200 ',
    )
    await room.staysUp()
  })

  test('an upgrade with a body has the body for its first frame, and is closed for it', async () => {
    const room = await HostileRoom.open()
    const socket = connect({ port: room.port, host: '127.0.0.1' })
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.on('error', () => undefined).resume()
    socket.write(`${upgradeRequest(`/${ROOM}`, ['Content-Length: 5'])}hello`)
    await ended
    await room.staysUp()
  })

  test('a URL in absolute form means the document its path names', async () => {
    const room = await HostileRoom.open()
    const client = await room.open(`http://other.example/${ROOM}`)
    client.send(message.step1(varUint(0)))
    client.send(message.update(firstUpdate(4711, 'absolute')))
    const { reader } = room.here
    await reader.until(() => reader.text.includes('absolute'), 'the edit arrives')
  })

  test('sockets that are reset in the middle of it harm nobody', async () => {
    const room = await HostileRoom.open()
    for (const cut of [1, 40, 100]) {
      const socket = connect({ port: room.port, host: '127.0.0.1' })
      socket.on('error', () => undefined)
      const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      socket.write(upgradeRequest(`/${ROOM}`).slice(0, cut), () => socket.resetAndDestroy())
      await ended
    }
    await room.staysUp()
  })
})

function tooManyHeaders(): string {
  const lines = Array.from({ length: 2001 }, () => 'a:')
  return `GET /${ROOM} HTTP/1.1\r\n${lines.join('\r\n')}\r\n${upgradeRequest('/').split('\r\n').slice(1).join('\r\n')}`
}
