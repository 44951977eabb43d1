import * as encoding from 'lib0/encoding'
import { describe, expect, it } from 'vitest'
import * as syncProtocol from 'y-protocols/sync'
import * as Y from 'yjs'
import { MalformedFrameError, ProtocolViolationError } from '../../shared/errors.ts'
import { encodeAwareness, readAwareness } from '../../shared/wire/awareness.ts'
import * as messages from '../../shared/wire/messages.ts'
import { readMessage } from '../../shared/wire/messages.ts'
import { Reader } from '../../shared/wire/reader.ts'
import { encodeBuffer, encodeString, varUintLength, writeVarUint } from '../../shared/wire/writer.ts'

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function read(text: string) {
  return readMessage(new Reader(Buffer.from(text, 'hex')))
}

const payload = new Uint8Array([0xaa, 0xbb])

describe('the wire, as bytes', () => {
  it('what the server says', () => {
    expect(hex(messages.syncStep1(messages.EMPTY_STATE_VECTOR))).toBe('00000100')
    expect(hex(messages.syncStep2(messages.EMPTY_UPDATE))).toBe('0001020000')
    expect(hex(messages.syncUpdate(payload))).toBe('000202aabb')
    expect(hex(messages.countedUpdate(payload))).toBe('7202aabb')
    expect(hex(messages.confirmation(300))).toBe('7102ac02')
    expect(hex(messages.awareness(payload))).toBe('0102aabb')
    expect(hex(messages.KEEP_ALIVE)).toBe('010100')
    expect(hex(messages.SAVED)).toBe('0801')
    expect(hex(messages.probeAnswer(payload))).toBe('6602aabb')
    expect(hex(messages.permissionDenied('no'))).toBe('0201026e6f')
    expect(hex(messages.permissionDeniedYWebsocket('no'))).toBe('0200026e6f')
    expect(hex(messages.authenticated('read-write'))).toBe('02020a726561642d7772697465')
    expect(hex(encodeString('d\0é'))).toBe('046400c3a9')
  })

  it('what clients say', () => {
    expect(read('00000100')).toEqual({ type: 'syncStep1', stateVector: Buffer.from([0]) })
    expect(read('0001020000')).toEqual({ type: 'syncStep2', update: Buffer.from([0, 0]) })
    expect(read('000202aabb')).toEqual({ type: 'update', update: Buffer.from(payload), isCounted: false })
    expect(read('7202aabb')).toEqual({ type: 'update', update: Buffer.from(payload), isCounted: true })
    expect(read('0102aabb')).toEqual({ type: 'awareness', states: Buffer.from(payload) })
    expect(read('03')).toEqual({ type: 'queryAwareness' })
    expect(read('07')).toEqual({ type: 'close' })
    expect(read('6602aabb')).toEqual({ type: 'probe', payload: Buffer.from(payload) })
    expect(read('02000174')).toEqual({ type: 'auth' })
    expect(read('05aabb')).toEqual({ type: 'ignored', messageType: 5 })
    expect(read('ff7f')).toEqual({ type: 'ignored', messageType: 0x3fff })
  })

  it('T3: what cannot be decoded is malformed; what only a server may say is a violation', () => {
    for (const text of [
      '',
      '00',
      '0003',
      '0000',
      '000002aa',
      '0105aa',
      '6601',
      '0200',
      '020002aa',
      '020001ff',
      'ffffffffffffffffff',
    ]) {
      expect(() => read(text), text).toThrow(MalformedFrameError)
    }
    for (const text of ['0400000100', '06', '0801', '710101', '0201026e6f', '020200']) {
      expect(() => read(text), text).toThrow(ProtocolViolationError)
    }
  })

  it('the same bytes as y-protocols', () => {
    const doc = new Y.Doc()
    doc.getText('t').insert(0, 'x'.repeat(500))
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, 0)
    syncProtocol.writeSyncStep2(encoder, doc)
    expect(hex(messages.syncStep2(Y.encodeStateAsUpdate(doc)))).toBe(hex(encoding.toUint8Array(encoder)))
    const first = encoding.createEncoder()
    encoding.writeVarUint(first, 0)
    syncProtocol.writeSyncStep1(first, doc)
    expect(hex(messages.syncStep1(Y.encodeStateVector(doc)))).toBe(hex(encoding.toUint8Array(first)))
  })

  it('varUint at its boundaries, as lib0 writes them', () => {
    for (const value of [0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const encoder = encoding.createEncoder()
      encoding.writeVarUint(encoder, value)
      const expected = encoding.toUint8Array(encoder)
      const bytes = new Uint8Array(varUintLength(value))
      expect(writeVarUint(bytes, 0, value)).toBe(bytes.length)
      expect(hex(bytes)).toBe(hex(expected))
      expect(new Reader(bytes).varUint()).toBe(value)
    }
  })

  it('awareness round trip, to the very end and no further', () => {
    const states = [
      { client: 1, clock: 0, json: new Uint8Array(Buffer.from('{}')) },
      { client: 2 ** 32 - 1, clock: 300, json: new Uint8Array(Buffer.from('null')) },
    ]
    const bytes = encodeAwareness(states)
    expect(readAwareness(bytes)).toEqual(states)
    expect(() => readAwareness(Buffer.concat([bytes, Buffer.from([0])]))).toThrow(MalformedFrameError)
    for (let end = 0; end < bytes.length; end += 1)
      expect(() => readAwareness(bytes.slice(0, end))).toThrow(MalformedFrameError)
    expect(() => readAwareness(encodeBuffer([], new Uint8Array([0xff, 0xff, 0x7f])))).toThrow(MalformedFrameError)
  })

  it('the reader never leaves its frame, though the buffer behind it is larger', () => {
    const pool = Buffer.from('0005aabbccddee', 'hex')
    const reader = new Reader(pool.subarray(1, 4))
    expect(() => reader.buffer()).toThrow(MalformedFrameError)
    const view = new Reader(pool.subarray(0, 2))
    expect(view.varUint()).toBe(0)
    expect(() => view.finish()).toThrow(MalformedFrameError)
  })
})
