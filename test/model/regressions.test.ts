import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { defaultLimits } from '../../shared/limits.ts'
import { countedUpdate, EMPTY_UPDATE, syncStep1, syncStep2, syncUpdate } from '../../shared/wire/messages.ts'
import { Content, MAX_TAIL_BYTES } from '../../server/document/content.ts'
import { chainOfUpdates } from '../support/collaborator.ts'
import { expectConverged, quiesce } from './quiescence.ts'
import { orphanUpdate, poisonousUpdate, Room, updateOnPoison } from './room.ts'
import type { SimClient } from './simClient.ts'
import { toSession } from './wirings.ts'
import { World } from './world.ts'

/** Histories that failed once, by name. */
describe('the path of an edit, cases the model found', () => {
  it('S1, D8: a client that sent what can never be connected is told the document all the same', async () => {
    const { room, world } = await connected(2)
    room.client(0).disconnect()
    room.client(0).connect()
    room.client(0).inject(orphanUpdate(777), true) // before its SyncStep1
    room.client(1).doc.getText('text').insert(0, 'hello')
    await quiesce(world, room.clients)
    expect(textOf(room.client(0))).toBe('hello')
  })

  it('D8: a client that itself lacks what its document builds on stays connected, and is asked once', async () => {
    const { room, world } = await connected(3)
    const author = room.client(2)
    author.disconnect()
    const updates: Uint8Array[] = []
    author.doc.on('update', (update: Uint8Array) => updates.push(update))
    author.doc.getText('text').insert(0, 'first')
    author.doc.getText('text').insert(5, 'second')
    const holed = room.client(1)
    holed.disconnect()
    Y.applyUpdate(holed.doc, updates[1] ?? new Uint8Array(), 'another provider')
    holed.doc.getMap('map').set('own', 1)
    holed.connect()
    await quiesce(world, room.clients)
    expect(holed.isConnected).toBe(true)
    expect(holed.tally.step1Received).toBeLessThanOrEqual(3)
    expect(world.stored.durable('room').getMap('map').get('own')).toBe(1)
    author.connect()
    await quiesce(world, room.clients)
    await expectConverged(world, room.clients)
    expect(textOf(holed)).toBe('firstsecond')
  })

  it('D3, D8: what waits for what it builds on is not saved because what came after it is', async () => {
    const { room, world } = await connected(3)
    const [first = new Uint8Array(), second = new Uint8Array()] = chainOfUpdates(500, 'ab')
    const [other = new Uint8Array()] = chainOfUpdates(501, 'c')
    for (const client of [room.client(0), room.client(2)]) {
      const message = client.counts ? countedUpdate : syncUpdate
      client.outbox.push(message(second))
      client.probe()
      client.outbox.push(message(other))
    }
    await quiesce(world, room.clients)
    expect([room.client(0).tally.probesAnswered, room.client(2).tally.confirmed]).toEqual([0, 0])
    room.client(1).outbox.push(syncUpdate(first)) // what is said too early fails the clients' own check
    await quiesce(world, room.clients)
    await expectConverged(world, room.clients)
  })

  it('S10: however much is counted while something is held, all of it is confirmed when that is durable', async () => {
    const { room, world } = await connected(3)
    const [first = new Uint8Array(), second = new Uint8Array()] = chainOfUpdates(500, 'ab')
    const client = room.client(2)
    Y.applyUpdate(client.doc, second, 'server') // its own, which it is not sent back
    client.outbox.push(countedUpdate(second))
    for (let count = 0; count < 3_000; count += 1) client.outbox.push(countedUpdate(EMPTY_UPDATE))
    await quiesce(world, room.clients)
    expect([client.counted, client.tally.confirmed]).toEqual([3_001, 0])
    room.client(1).outbox.push(syncUpdate(first))
    await quiesce(world, room.clients)
    expect(client.tally.confirmed).toBe(3_001)
    await expectConverged(world, room.clients)
  })

  it('D3: nothing is proved to who was told that we have what is still waiting for its commit', async () => {
    const { room, world } = await connected(2, { maxPendingUpdatesPerSession: 20_000 })
    const client = room.client(0)
    world.hold('append')
    for (let count = 0; count < 9_000; count += 1) client.doc.getArray('list').push([count]) // more than one commit takes
    client.deliverUp(1)
    await room.settle()
    client.deliverUp(Infinity)
    client.disconnect()
    client.connect()
    client.deliverUp(Infinity)
    for (let turn = 0; turn < 20; turn += 1) {
      // One commit more, after which the state is told, and another one, after which the probe could be answered.
      if (turn % 10 === 0) world.release()
      if (turn % 10 === 0) world.hold('append')
      await world.clock.advanceAsync(50)
      client.deliverDown(Infinity)
      client.outbox.length = 0 // nothing is missing, as it was told, and our own client does not say so
      if (client.tally.step1Received > client.tally.probesSent) client.probe()
      client.deliverUp(Infinity)
    }
    const isDurable = world.isDurable('room', Y.encodeStateAsUpdate(client.doc))
    expect([isDurable, client.tally.probesSent, client.tally.probesAnswered]).toEqual([false, 1, 0])
    world.release()
    await quiesce(world, room.clients)
    expect(client.tally.probesAnswered).toBe(1)
  })

  it('D9, P1: an update is not taken for known because of another one that turns out poisonous', async () => {
    const { room, world } = await connected(4)
    const poison = poisonousUpdate()
    room.client(0).inject(syncUpdate(poison))
    room.client(1).inject(syncUpdate(poison)) // an acknowledgement would fail the client's own check
    await quiesce(world, room.clients)
    expect([room.client(0).isConnected, room.client(1).isConnected]).toEqual([false, false])
  })

  it('D9, S5: repeating a batch without its poison neither loses edits nor miscounts what a sender has waiting', async () => {
    const { room, world } = await connected(4, { maxPendingUpdatesPerSession: 3 })
    for (let round = 0; round < 5; round += 1) {
      world.hold('append')
      room.client(2).doc.getText('text').insert(0, 'x')
      room.client(2).deliverUp(Infinity)
      await world.clock.advanceAsync(40)
      room.client(1).doc.getText('text').insert(0, 'y')
      room.client(1).deliverUp(Infinity)
      room.client(0).inject(syncUpdate(poisonousUpdate()))
      world.release()
      await quiesce(world, room.clients)
      room.reconnectAll()
    }
    world.hold('append')
    const flooder = room.client(1)
    for (let count = 0; count < 20; count += 1) {
      flooder.doc.getText('text').insert(0, 'z')
      flooder.deliverUp(1)
      await world.clock.settle()
    }
    expect(flooder.link?.isPaused).toBe(true)
    expect(flooder.outbox.length).toBe(15) // one being written, four waiting
    await quiesce(world, room.clients)
    await expectConverged(world, room.clients)
  })

  it('D9, S5: what was built on poison is held, and does not count as waiting for a commit', async () => {
    const { room, world } = await connected(2, { maxPendingUpdatesPerSession: 3 })
    world.hold('append')
    room.client(1).doc.getText('text').insert(0, 'busy')
    room.client(1).deliverUp(Infinity)
    await world.clock.advanceAsync(40)
    room.client(0).inject(syncUpdate(poisonousUpdate()))
    for (const id of [903, 904, 905, 906]) room.client(1).inject(syncUpdate(updateOnPoison(id)), true)
    expect(room.client(1).link?.isPaused).toBe(true)
    world.release()
    await quiesce(world, room.clients)
    expect([room.client(0).isConnected, room.client(1).isConnected]).toEqual([false, true])
    expect(room.client(1).link?.isPaused).toBe(false)
  })

  it('D3: neither relay nor acknowledgement nor state nor proof while the write is held or failing', async () => {
    const { room, world } = await connected(2)
    world.hold('append')
    room.failAppends(2, 'after')
    const author = room.client(1)
    author.doc.getText('text').insert(0, 'secret')
    author.probe()
    author.requestState()
    room.client(0).requestState()
    const told = room.clients.map((client) => client.link?.inbox.length)
    for (const client of room.clients) client.deliverUp(Infinity)
    await world.clock.advanceAsync(60)
    expect(room.clients.map((client) => client.link?.inbox.length)).toEqual(told)
    world.release()
    await world.clock.advanceAsync(500)
    for (const client of room.clients) client.deliverDown(Infinity)
    expect(author.tally).toMatchObject({ acknowledged: author.acknowledgementsDue, probesAnswered: 1 })
    expect(textOf(room.client(0))).toBe('secret')
  })

  it('S4: a lagging session gets one diff and no more than that when it drains', async () => {
    const { room, world } = await connected(2)
    const slow = room.client(0)
    if (slow.link !== null) slow.link.congested = true
    for (let count = 0; count < 10; count += 1) {
      room.client(1).doc.getText('text').insert(0, 'w')
      room.client(1).deliverUp(Infinity)
      await world.clock.advanceAsync(50)
    }
    expect(slow.link?.inbox.length).toBe(1) // the one that went out before anyone could know
    slow.drain()
    await world.clock.advanceAsync(50)
    expect(slow.link?.inbox.length).toBe(2)
    slow.deliverDown(Infinity)
    expect(textOf(slow)).toBe('wwwwwwwwww')
  })

  it('S5: a session closed while its flood was being taken does not leave its socket paused', async () => {
    const { room, world } = await connected(2, { maxPendingBytesPerSession: 10, maxPendingBytesPerDocument: 10 })
    world.hold('append')
    const flooder = room.client(0)
    const { link } = flooder
    for (let count = 0; count < 4; count += 1) flooder.doc.getText('text').insert(0, 'long enough')
    for (const message of flooder.outbox) flooder.inject(message) // already read when the socket was paused
    expect(link?.isClosed).toBe(true)
    expect(link?.isPaused).toBe(false)
    world.release()
    await quiesce(world, room.clients)
  })

  it('D7, L4: a document nobody edits is served, and recognises what it knows, without any write', async () => {
    const { room, world } = await connected(2)
    room.client(0).doc.getText('text').insert(0, 'kept')
    await quiesce(world, room.clients)
    for (const client of room.clients) client.disconnect()
    await world.clock.advanceAsync(10_000)
    expect(world.registry.size).toBe(0)
    const appends = world.engine.calls('append')
    const returning = room.client(0)
    returning.connect()
    returning.inject(syncStep1(new Uint8Array([0])))
    returning.inject(syncStep2(Y.encodeStateAsUpdate(returning.doc)))
    await quiesce(world, room.clients)
    expect(world.engine.calls('append')).toBe(appends)
    expect(returning.isConnected).toBe(true)
  })
})

describe('content', () => {
  it('T8, D7: however long the stored tail, a joiner is not told more single updates than its socket may have unread', () => {
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    for (let count = 0; count < 5; count += 1) doc.getText('text').insert(0, 'x'.repeat(1024 * 1024))
    const tail = updates.map((update, index) => ({ cursor: `e-${index + 1}`, update }))
    const content = new Content({ base: null, snapshot: null, tail, head: 'e-5', damaged: false }, defaultLimits)
    expect(content.sizes.bytes).toBeGreaterThan(MAX_TAIL_BYTES)
    for (const known of [new Uint8Array([0]), new Uint8Array([1, 9, 1])]) {
      const answer = content.answer(known)
      expect(answer.updates).toEqual([])
    }
  })
})

function textOf(client: SimClient): unknown {
  return client.doc.getText('text').toJSON()
}

async function connected(size: number, limits = {}): Promise<{ room: Room; world: World }> {
  const world = new World(limits)
  const room = new Room(world, (link, client) => toSession(world)(link, client), size)
  for (const client of room.clients) client.connect()
  await quiesce(world, room.clients)
  return { room, world }
}
