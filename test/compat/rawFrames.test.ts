import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { openClient, textOf } from '../support/clients.ts'
import type { Client } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { RawClient } from '../support/rawClient.ts'
import { concat, hex, message, states, string } from '../support/rawMessages.ts'
import { TestServer } from '../support/testServer.ts'

const SYNC_STEP_1 = message.step1(hex('00'))

let engine: FaultyEngine
let server: TestServer
let raw: RawClient
let peer: Client

beforeEach(async () => {
  engine = new FaultyEngine(new MemoryEngine())
  server = await TestServer.start({ engine })
  raw = await RawClient.open(server.port, '/room')
  peer = openClient('y-websocket 3.1', server.url, 'room', { presence: { name: 'peer' } })
  await eventually(() => peer.synced, 'the peer is synced')
})

afterEach(async () => {
  peer.destroy()
  raw.destroy()
  await server.dispose()
})

function updateWith(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

/** Index of the first message received that begins with these bytes; -1 without one. */
function received(start: string): number {
  const bytes = Buffer.from(hex(start))
  return raw.messages.findIndex((candidate) => candidate.subarray(0, bytes.length).equals(bytes))
}

describe('frames as other clients of the field send them', () => {
  test('A9.3, A9.4: SyncStep1 is answered by SyncStep1, then SyncStep2, in frames of their own, also when empty', async () => {
    raw.send(SYNC_STEP_1)
    await raw.until(() => received('00 01') !== -1, 'SyncStep2 has come')
    expect(raw.messages.slice(0, 2).map((frame) => frame.toString('hex'))).toEqual(['00000100', '0001020000'])
  })

  test('A5: a y-sweet probe comes back unchanged, and only once what was sent before it is durable', async () => {
    raw.send(SYNC_STEP_1)
    const release = engine.hold('append')
    raw.send(message.update(updateWith('hello')))
    raw.send(message.probe(hex('2a')))
    // The client would give up after 3 s of silence: an empty awareness frame says that we are still here.
    await raw.until(() => received('01 01 00') !== -1, 'a sign of life has come')
    expect(received('66')).toBe(-1)
    release()
    await raw.until(() => received('66 01 2a') !== -1, 'the probe has come back')
    expect(received('00 02')).toBeLessThan(received('66 01 2a'))
    await eventually(() => textOf(peer) === 'hello', 'the peer has it')
  })

  test('A3: QueryAwareness is answered with everybody present', async () => {
    raw.send(SYNC_STEP_1)
    await raw.until(() => received('01') !== -1, 'presence has come')
    const before = raw.messages.length
    raw.send(message.queryAwareness)
    await raw.until(() => raw.messages.length > before, 'the answer has come')
    expect(raw.messages.at(-1)?.toString('latin1')).toContain('"name":"peer"')
  })

  test('A8: several messages in one frame, as Yjs 14 sends them, are all taken', async () => {
    const one = updateWith('one')
    const two = updateWith('two')
    raw.send(concat(SYNC_STEP_1, message.update(one), message.update(two), message.probe(hex('07'))))
    await raw.until(() => received('66 01 07') !== -1, 'the probe has come back')
    await eventually(() => textOf(peer).length === 6, 'the peer has both')
    raw.send(
      concat(
        message.update(updateWith('three')),
        message.awareness(states([{ client: 5, clock: 1, json: '{"name":"raw"}' }])),
      ),
    )
    await eventually(() => peer.awareness.getStates().get(5)?.['name'] === 'raw', 'the peer sees the presence')
    await eventually(() => textOf(peer).length === 11, 'the peer has the third')
  })

  test('A3: what the author sent comes back to it: sign of life for all, acknowledgement for Yjs 14', async () => {
    raw.send(SYNC_STEP_1)
    const update = updateWith('echo')
    raw.send(message.update(update))
    const echo = Buffer.from(message.update(update))
    await raw.until(() => raw.messages.some((candidate) => candidate.equals(echo)), 'the echo has come')
    const presence = message.awareness(states([{ client: 5, clock: 7, json: '{"name":"raw"}' }]))
    raw.send(presence)
    await raw.until(
      () => received('01') !== -1 && raw.messages.some((candidate) => candidate.includes('raw')),
      'presence comes back',
    )
  })

  test('T3: Hocuspocus: Ping is answered by Pong, both without an address', async () => {
    const hocuspocus = await RawClient.open(server.port, '/')
    const address = string('room')
    hocuspocus.send(concat(address, message.auth('token'), string('4.8.0')))
    hocuspocus.send(hex('09'))
    await hocuspocus.until(
      () => hocuspocus.messages.some((frame) => frame.equals(Buffer.from(hex('0a')))),
      'Pong has come',
    )
    expect(hocuspocus.messages[0]?.equals(Buffer.from(concat(address, hex('02 02'), string('read-write'))))).toBe(true)
    hocuspocus.destroy()
  })
})
