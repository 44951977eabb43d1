import { afterEach, describe, expect, test, vi } from 'vitest'
import { FakeServer } from '../../client/testing/index.ts'
import { HELLO_TYPE } from '../../shared/wire/hello.ts'
import { syncStep1 } from '../../shared/wire/messages.ts'
import { ClientWorld, kinds, messagesIn, ROOM, SERVER_URL } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  vi.unstubAllGlobals()
  world.destroy()
  world = new ClientWorld()
})

/** Updates that are counted, as our server gets them. */
const UPDATE = '114'

describe('edits', () => {
  test('of one turn leave together, at its end, and leave no timer behind', async () => {
    const { type, sent } = await world.openSynced()
    const before = world.clock.timers
    for (const letter of 'abc') type(letter)
    expect(sent).toEqual([])
    world.clock.flush()
    expect(kinds(sent)).toEqual([UPDATE])
    await world.pass(50)
    expect([world.saved, kinds(sent)]).toEqual(['abc', [UPDATE]])
    await world.pass(10_000) // until nobody looks any more whether it is stuck
    expect(world.clock.timers).toBe(before)
  })

  test('are gathered for flushDelay, and sent at once by flush', async () => {
    const { provider, type, sent } = await world.openSynced({ flushDelay: 200 })
    type('a')
    await world.pass(150)
    type('b')
    expect(sent).toEqual([])
    await world.pass(50)
    expect(kinds(sent)).toEqual([UPDATE])
    type('c')
    provider.flush()
    expect(kinds(sent)).toEqual([UPDATE, UPDATE])
    await world.pass(1_000)
    expect(world.saved).toBe('abc')
  })

  test('of a program, one a millisecond, leave in one frame for each 16 ms; the first waits for nobody', async () => {
    const { type, sent } = await world.openSynced()
    type('x')
    world.clock.flush()
    expect(kinds(sent)).toEqual([UPDATE])
    for (let count = 0; count < 159; count += 1) {
      await world.pass(1)
      type('x')
    }
    await world.pass(20)
    expect(kinds(sent).filter((kind) => kind === UPDATE).length).toBe(11)
    await world.pass(1_000)
    expect(world.saved).toBe('x'.repeat(160))
  })

  test('are gathered for up to 50 ms on a slow connection', async () => {
    const { type, sent } = await world.openSynced({}, world.device({ latencyMs: 200 }))
    await world.pass(10_000)
    sent.length = 0
    for (let count = 0; count < 50; count += 1) {
      type('x')
      await world.pass(10)
    }
    expect(sent.filter(([first]) => first === 0).length).toBeLessThanOrEqual(11)
    await world.pass(2_000)
    expect(world.saved).toBe('x'.repeat(50))
  })

  test('are merged while the socket has not sent what it was given', async () => {
    const device = world.device({ bytesPerSecond: 100_000 })
    const { provider, type, sent } = await world.openSynced({}, device)
    type('x'.repeat(400_000))
    await world.pass(10)
    for (let count = 0; count < 700; count += 1) {
      type('y')
      await world.pass(1)
    }
    expect(kinds(sent).filter((kind) => kind === UPDATE)).toEqual([UPDATE])
    await world.pass(30_000)
    expect(kinds(sent).filter((kind) => kind === UPDATE)).toEqual([UPDATE, UPDATE])
    expect([world.saved.length, provider.unsavedChanges]).toEqual([400_700, 0])
  })

  test('are merged all the same when a cursor moves with each of them', async () => {
    const device = world.device({ bytesPerSecond: 100_000 })
    const { provider, type, sent } = await world.openSynced({}, device)
    const other = world.open(world.device())
    type('x'.repeat(400_000))
    await world.pass(10)
    for (let caret = 0; caret < 300; caret += 1) {
      type('y')
      provider.awareness.setLocalStateField('caret', caret)
      await world.pass(2)
    }
    expect(kinds(sent)).toEqual([UPDATE])
    await world.pass(10_000)
    expect(kinds(sent).filter((kind) => kind === UPDATE)).toEqual([UPDATE, UPDATE])
    expect(other.provider.awareness.getStates().get(provider.doc.clientID)).toEqual({ caret: 299 })
    expect(world.saved.length).toBe(400_300)
  })

  test('made just before disconnect or destroy are still sent', async () => {
    const first = await world.openSynced()
    first.type('a')
    first.provider.disconnect()
    await world.pass(100)
    expect(world.saved).toBe('a')
    const second = await world.openSynced()
    second.type('b')
    second.provider.destroy()
    await world.pass(100)
    expect(world.saved).toBe('ab')
  })

  test('leave at once when the page is hidden: it may be gone before their time has come', async () => {
    const { type, device } = await world.openSynced()
    type('a')
    await world.pass(2)
    type('b')
    device.page.fire('hidden')
    await world.pass(2)
    expect(world.saved).toBe('ab')
  })

  test('are sent as a difference when the connection comes back, once, and our presence with it', async () => {
    const { provider, type, sent, device } = await world.openSynced()
    provider.awareness.setLocalStateField('name', 'me')
    await world.pass(1_000)
    sent.length = 0
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(10)
    for (const letter of 'abc') type(letter)
    await world.pass(100)
    device.network.reachability = 'up'
    device.page.fire('online')
    await world.pass(1_000)
    expect(kinds(sent)).toEqual(['0 0', '0 1', '102'])
    expect(sent.map((frame) => messagesIn(frame).map((message) => message.type))[1]).toEqual(['syncStep2', 'awareness'])
    expect(world.saved).toBe('abc')
  })

  test('that do not exist are not sent: our server waits for no answer that says nothing, others may', async () => {
    const opened = world.open(world.device())
    await world.pass(1_000)
    expect(kinds(opened.sent)).toEqual(['0 0'])
    const foreign = new ClientWorld({ dialect: 'y-websocket' })
    const other = foreign.open(foreign.device())
    await foreign.pass(1_000)
    expect(kinds(other.sent)).toEqual(['0 0', '0 1'])
    foreign.destroy()
  })

  test('that the server has lost are noticed, brought back and counted', async () => {
    let current = new FakeServer()
    world = new ClientWorld({ wrap: () => ({ accept: (end, url) => current.accept(end, url) }) })
    const { provider, type } = await world.openSynced()
    type('precious')
    await world.pass(10_000)
    expect(provider.unsavedChanges).toBe(0)
    const counts: number[] = []
    provider.on('unsaved-changes', (count) => counts.push(count))
    current = new FakeServer()
    world.close(1001)
    await world.pass(10_000)
    expect([current.document(ROOM).getText('text').toJSON(), counts]).toEqual(['precious', [1, 0]])
  })
})

describe('a proof', () => {
  test('is not asked for where it is given unasked, however slow storage is', async () => {
    const { provider, type, sent } = await world.openSynced()
    world.server.hold()
    for (let count = 0; count < 60; count += 1) {
      type('x')
      await world.pass(50)
    }
    expect(new Set(kinds(sent))).toEqual(new Set([UPDATE]))
    expect([provider.unsavedChanges, Math.round(provider.syncStatus.localUpdatesAge)]).toEqual([60, 3_000])
    world.server.release()
    await world.pass(1_000)
    expect([provider.unsavedChanges, world.saved.length]).toEqual([0, 60])
  })

  test('is asked of others once while they are slow, however much is typed', async () => {
    world = new ClientWorld({ dialect: 'y-websocket' })
    const { provider, type, sent } = await world.openSynced()
    world.server.hold()
    for (let count = 0; count < 40; count += 1) {
      type('x')
      await world.pass(50)
    }
    expect(kinds(sent).filter((kind) => kind === '0 0')).toEqual(['0 0'])
    expect(provider.unsavedChanges).toBe(40)
    world.server.release()
    await world.pass(1_000)
    expect([provider.unsavedChanges, world.saved.length]).toEqual([0, 40])
  })

  test('never covers edits made after the question', async () => {
    const { provider, type } = await world.openSynced({}, world.device({ latencyMs: 100 }))
    type('a')
    const first = provider.whenSaved()
    await world.pass(150)
    type('b')
    let isDone = false
    const second = provider.whenSaved().then(() => {
      isDone = true
    })
    await world.pass(60)
    await first
    expect([isDone, provider.unsavedChanges]).toEqual([false, 1])
    await world.pass(1_000)
    await second
    expect(world.saved).toBe('ab')
  })

  test('of edits from before a connection was lost does not come from the next one by mistake', async () => {
    const { provider, type, device } = await world.openSynced()
    world.server.hold()
    type('a')
    const saved = provider.whenSaved()
    let isDone = false
    void saved.then(() => {
      isDone = true
    })
    await world.pass(100)
    world.server.crash() // what was held is gone
    world.server.hold()
    await world.pass(3_000)
    expect([device.network.opened, isDone, world.saved]).toEqual([2, false, ''])
    world.server.release()
    await world.pass(1_000)
    expect([isDone, world.saved]).toEqual([true, 'a'])
  })
})

describe('our server', () => {
  test('that asks what it lacks in between proves what it is told then, though that is not counted', async () => {
    const { provider, type, sent } = await world.openSynced()
    type('a')
    await world.pass(1)
    type('b') // gathered for the next 16 ms
    world.say(syncStep1(new Uint8Array([0])))
    await world.pass(5)
    expect(kinds(sent)).toEqual([UPDATE, '0 1', '102'])
    await world.pass(1_000)
    expect([provider.unsavedChanges, world.saved]).toEqual([0, 'ab'])
  })

  test('confirms by count what was sent on this connection, not what a listener ended it with', async () => {
    const { provider, type } = await world.openSynced()
    provider.once('frame', () => provider.disconnect())
    type('a')
    await world.pass(10)
    provider.connect()
    await world.pass(1_000)
    world.server.hold()
    type('b')
    await world.pass(100)
    type('c')
    await world.pass(100)
    expect(provider.unsavedChanges).toBe(2)
    world.server.release()
    await world.pass(100)
    expect([provider.unsavedChanges, world.saved]).toEqual([0, 'abc'])
  })

  test('is missed within 10 s after much was typed, all of which it has confirmed', async () => {
    const device = world.device()
    const { provider, type } = await world.openSynced({}, device)
    for (let count = 0; count < 3_000; count += 1) {
      type('x')
      await world.pass(20)
    }
    expect([provider.unsavedChanges, provider.stats.bytesOut > 50_000]).toEqual([0, true])
    device.network.reachability = 'refusing'
    device.network.goSilent()
    await world.pass(10_000)
    expect(provider.wsconnected).toBe(false)
  })

  test('is asked by ?hello=1 who it is, and nothing of ours is said before it has answered', async () => {
    const { provider } = await world.openSynced({ params: { a: 'b' } })
    expect(world.urls.map((url) => url.search)).toEqual(['?a=b&hello=1'])
    expect(provider.ackLevel).toBe('durable')
    expect(provider.url).toBe(`${SERVER_URL}/${ROOM}?a=b`)
  })
})

test('a round trip is measured by the hello, whatever the document takes to come, and by every heartbeat', async () => {
  const device = world.device({ latencyMs: 40 })
  const { provider } = world.open(device)
  world.server.hold()
  await world.pass(3_000)
  world.server.release()
  await world.pass(100)
  expect([provider.synced, provider.rtt]).toEqual([true, 80])
  device.network.change({ latencyMs: 100 })
  await world.pass(20_000)
  expect(provider.rtt).toBe(200)
})

test('the hello of a newer server is understood as far as it can be', async () => {
  const { provider, type } = await world.openSynced()
  world.say(new Uint8Array([HELLO_TYPE, 5, 2, 3, 9, 9, 9]))
  type('x')
  await world.pass(1_000)
  expect([provider.ackLevel, provider.unsavedChanges]).toEqual(['durable', 0])
})
