import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { defaultLimits } from '../../shared/limits.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { hurriedClock, StoppedClock } from '../support/clocks.ts'
import { firstUpdate } from '../support/collaborator.ts'
import type { Collaborator } from '../support/collaborator.ts'
import { eventually } from '../support/eventually.ts'
import { HostileRoom, ROOM } from '../support/hostileRoom.ts'
import { memoryInUse } from '../support/memory.ts'
import { concat, hex, message, protocols, string, varUint } from '../support/rawMessages.ts'

const KIB = 1024
const MIB = 1024 * KIB

function chunk(mark: number, size: number): string {
  return String(mark).padStart(6, '0') + 'x'.repeat(size)
}

/** Overwrites one key, so that much is sent and the document stays small. Everybody honest keeps up. */
async function overwrite(room: HostileRoom, times: number, bytes: number): Promise<void> {
  const { writer, reader } = room.here
  for (let count = 0; count < times; count += 1) {
    const value = chunk(count, bytes)
    writer.doc.getMap('map').set('key', value)
    await reader.until(() => reader.doc.getMap('map').get('key') === value, `value ${String(count)} arrives`)
    for (const one of [writer, reader]) one.forget()
  }
}

/** Fills the attacked document with this much text. */
async function fill(room: HostileRoom, bytes: number): Promise<void> {
  const { writer, reader } = room.here
  writer.doc.getText('large').insert(0, 'x'.repeat(bytes))
  await reader.until(() => reader.doc.getText('large').length === bytes, 'the document is large')
  for (const one of [writer, reader]) one.forget()
}

/** A state vector no cache has seen: it knows one stranger. */
function strangersVector(stranger: number): Uint8Array {
  return Y.encodeStateVector(new Map([[stranger, 1]]))
}

function atOnce(attacker: Collaborator, frames: readonly Uint8Array[]): void {
  attacker.raw.socket.cork()
  for (const frame of frames) attacker.raw.send(frame)
  attacker.raw.socket.uncork()
}

/** The value when it has stopped rising: a kernel goes on taking bytes for a while as it makes its buffers larger. */
async function atRest(read: () => Promise<number>): Promise<number> {
  for (let last = await read(); ;) {
    await delay(300)
    const now = await read()
    if (now === last) return now
    last = now
  }
}

describe.each(protocols)('floods by a %s client', (protocol) => {
  test('C67: who stops reading while others write 40 MB costs little, and gets one difference once it reads', async () => {
    const room = await HostileRoom.open()
    const slow = await room.join(protocol)
    await overwrite(room, 2, 256 * KIB)
    slow.raw.pause()
    const before = memoryInUse()
    await overwrite(room, 160, 256 * KIB)
    expect(memoryInUse() - before).toBeLessThan(16 * MIB)
    await room.staysUp()
    const received = slow.raw.bytesReceived
    slow.raw.resume()
    await slow.until(() => slow.doc.getMap('map').get('key') === chunk(159, 256 * KIB), 'it has caught up')
    // What the kernel held for it (some megabytes), the server's high-water mark, and the difference.
    expect(slow.raw.bytesReceived - received).toBeLessThan(24 * MIB)
    await slow.until(() => slow.text === room.here.reader.text, 'it has everything else')
    expect(slow.raw.closeFrame).toBeNull()
    slow.type('back')
    await room.here.reader.until(() => room.here.reader.text.startsWith('back'), 'it can write')
  })

  test('C67: presence that changed while it did not read is told as well', async () => {
    const room = await HostileRoom.open()
    const slow = await room.join(protocol)
    slow.raw.pause()
    await overwrite(room, 60, 256 * KIB)
    expect(room.host.count('lagging')).toBeGreaterThan(0)
    const { writer, reader } = room.here
    for (let clock = 1; clock <= 10; clock += 1) writer.announce(`{"at":${String(clock)}}`, clock)
    const isUpToDate = (one: Collaborator): boolean => one.presence.get(writer.doc.clientID)?.json === '{"at":10}'
    await reader.until(() => isUpToDate(reader), 'others see it')
    slow.raw.resume()
    await slow.until(() => isUpToDate(slow), 'it is told')
  })

  test('C67: who never reads again is closed 1013, however much it says', async () => {
    const clock = new StoppedClock()
    const room = await HostileRoom.open({ clock })
    const slow = await room.join(protocol)
    slow.raw.pause()
    await overwrite(room, 60, 256 * KIB)
    await eventually(() => {
      slow.say(message.awareness(hex('00'))) // alive, by all appearances
      clock.advance(1_000)
      return room.host.events.some((event) => event.type === 'rejected' && event.code === 1013)
    }, 'the server gives up')
    await eventually(() => room.host.count('disconnected') === 1, 'the socket is gone')
    await room.staysUp()
  })

  test('C67: a document above the high-water mark is joined by who reads, and goes on', async () => {
    const room = await HostileRoom.open()
    await fill(room, 3 * MIB)
    const guest = await room.join(protocol)
    room.here.writer.type('after')
    await guest.until(() => guest.text.startsWith('after'), 'the guest gets what is written after it joined')
  })

  test('C67: one update above the high-water mark does not stop those after it', async () => {
    const room = await HostileRoom.open()
    const guest = await room.join(protocol)
    await fill(room, 3 * MIB)
    room.here.writer.type('after')
    await guest.until(() => guest.text.startsWith('after'), 'the guest gets what is written after it')
  })

  test('C67: who makes us send and never reads is closed 1013', async () => {
    const room = await HostileRoom.open()
    const greedy = await room.join(protocol)
    greedy.raw.pause()
    const before = memoryInUse()
    const probe = greedy.wire.frame(greedy.address, message.probe(new Uint8Array(256 * KIB)))
    for (let count = 0; count < 100; count += 1) greedy.raw.send(probe)
    await eventually(() => room.host.count('disconnected') === 1, 'the socket is gone')
    expect(memoryInUse() - before).toBeLessThan(32 * MIB)
    await room.staysUp()
  })

  test('C68: 200 questions for 4.5 MB by who does not read are answered as far as it takes them, and once more', async () => {
    const room = await HostileRoom.open()
    await fill(room, 4.5 * MIB)
    const sent = (): Promise<number> => room.metric('scriptorium_sent_bytes_total')
    const attacker = await room.join(protocol)
    attacker.forget()
    attacker.raw.pause()
    const before = memoryInUse()
    const sentBefore = await sent()
    const question = attacker.wire.frame(attacker.address, message.step1(varUint(0)))
    atOnce(
      attacker,
      Array.from({ length: 200 }, () => question),
    )
    for (let count = 0; count < 10; count += 1) {
      await room.staysUp()
      attacker.raw.send(question)
    }
    await room.staysUp()
    expect(memoryInUse() - before).toBeLessThan(20 * MIB)
    // How much a socket takes that nobody reads is the kernel's business. The next answer is begun when no more than
    // the high-water mark of the last one is left, which may be all that the kernel did not take.
    const taken = (await atRest(sent)) - sentBefore
    const begun = Math.floor((taken + defaultLimits.highWaterBytes) / (4.5 * MIB)) + 1
    expect(taken).toBeGreaterThan(0)
    expect(begun).toBeLessThan(10)
    attacker.raw.resume()
    await attacker.until(() => attacker.text === room.here.reader.text, 'it has caught up')
    await attacker.until(() => attacker.count('step1') === attacker.count('step2'), 'no answer is under way')
    expect(attacker.count('step2')).toBeLessThanOrEqual(begun + 1)
    await room.staysUp()
  })

  test('C69: random state vectors are answered as far as the budget goes, then later; others are not kept waiting', async () => {
    const clock = new StoppedClock()
    const room = await HostileRoom.open({
      clock: new BusyClock(clock),
      limits: { syncBurstMs: 10, syncRefillMsPerSecond: 1 },
    })
    await fill(room, MIB)
    const attacker = await room.join(protocol)
    attacker.forget()
    for (let count = 0; count < 100; count += 1) {
      attacker.join(strangersVector(1_000_000 + count))
      attacker.say(message.probe(varUint(count)))
      await attacker.until(() => attacker.count('probe') === count + 1, 'the question has been seen')
    }
    expect(attacker.count('step2')).toBeLessThan(30)
    await room.staysUp()
    const honest = await room.join(protocol)
    expect(honest.doc.getText('large').length).toBe(MIB)
    const answered = attacker.count('step2')
    clock.advance(100_000)
    await attacker.until(() => attacker.count('step2') > answered, 'the last question is answered in the end')
    expect(attacker.raw.closeFrame).toBeNull()
  })

  test('C70: while storage is slow a flooding writer is not read from; nothing is lost, acknowledged early, or twice', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const room = await HostileRoom.open({ engine })
    const { writer, reader } = room.here
    const flooder = await room.join(protocol)
    if (protocol === 'hocuspocus') await flooder.until(() => flooder.saved === 1, 'the handshake is acknowledged')
    const before = {
      saved: flooder.saved,
      memory: memoryInUse(),
      bytes: await room.metric('scriptorium_received_bytes_total'),
    }
    const release = engine.hold('append')
    const values = Array.from({ length: 400 }, (_value, index) => chunk(index, 50 * KIB))
    for (const value of values) flooder.doc.getArray('list').push([value])
    await eventually(() => flooder.raw.socket.writableLength > 0, 'the flooder is not read from')
    // Presence needs no storage, and neither do other documents that have nothing to store.
    writer.announce('{"u":1}', 1)
    await reader.until(() => reader.presence.has(writer.doc.clientID), 'presence flows')
    expect(flooder.raw.socket.writableLength).toBeGreaterThan(5 * MIB)
    const taken = (await room.metric('scriptorium_received_bytes_total')) - before.bytes
    expect(taken).toBeLessThan(4 * MIB)
    expect(reader.hasHeardOf(flooder.doc.clientID)).toBe(false)
    expect(flooder.saved).toBe(before.saved)
    release()
    await reader.until(() => reader.doc.getArray('list').length === values.length, 'everything arrives')
    expect(reader.doc.getArray('list').toArray()).toEqual(values)
    await room.staysUp()
    if (protocol === 'hocuspocus') {
      await flooder.until(() => flooder.saved - before.saved >= values.length, 'every edit is acknowledged')
      await room.staysUp()
      expect(flooder.saved - before.saved).toBe(values.length)
    }
    expect(flooder.raw.closeFrame).toBeNull()
    const stored = new Y.Doc()
    Y.applyUpdate(stored, await room.host.server.documents.read(ROOM))
    expect(stored.getArray('list').length).toBe(values.length)
  })

  test('C70: a writer that is not read from because storage is slow is not taken for dead', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const room = await HostileRoom.open({ engine, clock: hurriedClock })
    const flooder = await room.join(protocol)
    const release = engine.hold('append')
    for (let index = 0; index < 100; index += 1) flooder.doc.getArray('list').push([chunk(index, 50 * KIB)])
    await eventually(() => flooder.raw.socket.writableLength > 0, 'the flooder is not read from')
    // Longer than any silence is tolerated: 16 s until the ping, 9 s for the answer.
    const start = hurriedClock.now()
    await eventually(() => hurriedClock.now() - start > 40_000, 'time passes')
    expect(room.host.count('disconnected')).toBe(0)
    release()
    const { reader } = room.here
    await reader.until(() => reader.doc.getArray('list').length === 100, 'everything arrives')
  })
})

test('C68: presence of others reaches a socket again that was full for another reason', async () => {
  const room = await HostileRoom.open()
  const guest = await room.join('hocuspocus')
  // Full, but by another document's answer on the same socket: this session is live and never lags.
  const { writer, reader } = room.elsewhere
  writer.doc.getText('large').insert(0, 'x'.repeat(12 * MIB))
  await reader.until(() => reader.doc.getText('large').length === 12 * MIB, 'the other document is large')
  guest.raw.pause()
  guest.raw.send(concat(string('elsewhere'), message.step1(varUint(0))))
  await eventually(() => room.host.count('lagging') > 0, 'the socket is full')
  room.here.writer.announce('{"u":1}', 1)
  await room.here.reader.until(() => room.here.reader.presence.size === 1, 'others see it')
  guest.raw.resume()
  await guest.until(() => guest.presence.has(room.here.writer.doc.clientID), 'it is told once there is room')
})

test('C69: many sessions of one document on one socket share one budget', async () => {
  const limits = { syncBurstMs: 10, syncRefillMsPerSecond: 1, maxSessionsPerDocument: 256 }
  const room = await HostileRoom.open({ clock: new BusyClock(new StoppedClock()), limits })
  await fill(room, 64 * KIB)
  const attacker = await room.join('hocuspocus')
  const address = (session: number): string => `${ROOM}\0${String(session)}`
  const frames = Array.from({ length: 200 }, (_frame, session) =>
    concat(string(address(session)), message.step1(strangersVector(1_000_000 + session))),
  )
  atOnce(attacker, frames)
  await attacker.until(() => attacker.addresses.has(address(0)), 'the first one is answered')
  await room.staysUp()
  await room.staysUp()
  expect(attacker.addresses.size).toBeLessThan(30)
  expect(attacker.raw.closeFrame).toBeNull()
})

test('C40: one socket is no crowd: it has at most maxSessionsPerDocument sessions of one document', async () => {
  const room = await HostileRoom.open()
  const attacker = await room.join('hocuspocus')
  for (let session = 1; session <= defaultLimits.maxSessionsPerDocument; session += 1) {
    attacker.raw.send(concat(string(`${ROOM}\0${String(session)}`), message.step1(varUint(0))))
  }
  expect((await attacker.closed()).code).toBe(1008)
  await room.staysUp()
})

test('C40: one socket has at most maxDocumentsPerConnection documents open at once', async () => {
  const room = await HostileRoom.open({ limits: { maxDocumentsPerConnection: 2 } })
  const attacker = await room.join('hocuspocus')
  const say = (name: string, body: Uint8Array): void => attacker.raw.send(concat(string(name), body))
  for (const name of ['first', 'second', 'third']) {
    say(name, message.step1(varUint(0)))
    await attacker.until(() => attacker.addresses.has(name), 'it is answered')
    say(name, hex('07')) // closed again: it makes room for the next one
  }
  for (const name of ['fourth', 'fifth']) say(name, message.step1(varUint(0)))
  expect((await attacker.closed()).code).toBe(1008)
  expect(room.host.server.documents.names()).toContain('fourth')
  expect(room.host.server.documents.names()).not.toContain('fifth')
  await room.staysUp()
})

test('C70, S5: who is not read from because storage is slow is not read from either after closing the document', async () => {
  const engine = new FaultyEngine(new MemoryEngine())
  const room = await HostileRoom.open({ engine, limits: { maxPendingBytesPerSession: 1000 } })
  const { writer, reader } = room.here
  const flooder = await room.join('hocuspocus')
  const appends = engine.calls('append')
  const release = engine.hold('append')
  writer.type('in flight')
  await eventually(() => engine.calls('append') > appends, 'the log is busy')
  const before = await room.metric('scriptorium_received_bytes_total')
  // In one write: what has come together with the update is taken although nothing more is read.
  atOnce(
    flooder,
    [message.update(firstUpdate(666, 'x'.repeat(2000))), hex('07')].map((body) => concat(string(ROOM), body)),
  )
  await eventually(async () => (await room.metric('scriptorium_received_bytes_total')) > before + 2000, 'it is there')
  flooder.announce('{"flooder":1}', 1)
  for (let clock = 1; clock <= 10; clock += 1) {
    const json = `{"at":${String(clock)}}`
    writer.announce(json, clock)
    await reader.until(() => reader.presence.get(writer.doc.clientID)?.json === json, 'presence flows')
  }
  expect(reader.presence.has(flooder.doc.clientID)).toBe(false)
  release()
  await reader.until(() => reader.presence.has(flooder.doc.clientID), 'it is read from again')
})

test('C41: a victim that is not read from because storage is slow does not lose its socket to who claims its presence', async () => {
  const engine = new FaultyEngine(new MemoryEngine())
  const room = await HostileRoom.open({ engine, clock: hurriedClock })
  const victim = await room.join('y-websocket')
  victim.announce('{"name":"victim"}', 1, 1001)
  await room.here.reader.until(() => room.here.reader.presence.has(1001), 'the victim is seen')
  const release = engine.hold('append')
  for (let index = 0; index < 100; index += 1) victim.doc.getArray('list').push([chunk(index, 50 * KIB)])
  await eventually(() => victim.raw.socket.writableLength > 0, 'the victim is not read from')
  const attacker = await room.open(`/${ROOM}`)
  attacker.send(message.step1(varUint(0)))
  attacker.send(message.awareness(concat(hex('01'), varUint(1001), varUint(9), string('{"name":"EVIL"}'))))
  const start = hurriedClock.now()
  await eventually(() => hurriedClock.now() - start > 15_000, 'time passes')
  expect(room.host.count('disconnected')).toBe(0)
  release()
  await room.here.reader.until(() => room.here.reader.doc.getArray('list').length === 100, 'everything arrives')
})

/** Every reading of this clock takes a millisecond of its own, so that each answer costs something, always the same. */
class BusyClock extends StoppedClock {
  readonly #base: StoppedClock
  #spent = 0

  constructor(base: StoppedClock) {
    super()
    this.#base = base
  }

  override now(): number {
    this.#spent += 1
    return this.#base.now() + this.#spent
  }
}
