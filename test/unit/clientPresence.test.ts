import { afterEach, describe, expect, test, vi } from 'vitest'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { readAwareness } from '../../shared/wire/awareness.ts'
import { ForeignServer } from './clientServers.ts'
import { ClientWorld, messagesIn } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

function caretIn(json: Uint8Array): number {
  return (JSON.parse(Buffer.from(json).toString()) as { caret: number }).caret
}

function lengthOf(doc: Y.Doc): number {
  return doc.getText('text').length
}

/** Our presence as it was sent: clock and state, oldest first. */
function announced({ sent, doc }: Opened): (readonly [number, unknown])[] {
  return sent
    .flatMap(messagesIn)
    .flatMap((message) => (message.type === 'awareness' ? readAwareness(message.states) : []))
    .map(({ client, clock, json }) => {
      expect(client).toBe(doc.clientID)
      return [clock, JSON.parse(Buffer.from(json).toString()) as unknown] as const
    })
}

describe('our presence', () => {
  test('is announced as it is at first, and under the next clock whenever we return', async () => {
    const device = world.device()
    const opened = world.open(device)
    opened.provider.awareness.setLocalState({ name: 'me' })
    await world.pass(10_000)
    device.network.cut()
    await world.pass(10_000)
    device.network.goSilent()
    await world.pass(20_000)
    expect(device.network.opened).toBe(3)
    expect(announced(opened)).toEqual([
      [1, { name: 'me' }],
      [2, { name: 'me' }],
      [3, { name: 'me' }],
    ])
  })

  test('is seen by others at once when we return, although they remember that we had left', async () => {
    const device = world.device()
    const [me, other] = [world.open(device), world.open(world.device())]
    me.provider.awareness.setLocalState({ name: 'me' })
    await world.pass(1_000)
    const isSeen = (): boolean => other.provider.awareness.getStates().has(me.doc.clientID)
    expect(isSeen()).toBe(true)
    me.provider.disconnect()
    await world.pass(100)
    expect(isSeen()).toBe(false)
    me.provider.connect()
    await world.pass(100)
    expect(isSeen()).toBe(true)
  })

  test('is told at most every awarenessThrottle, the newest of it', async () => {
    const opened = world.open(world.device(), { awarenessThrottle: 100 })
    await world.pass(1_000)
    opened.sent.length = 0
    for (let value = 0; value < 50; value += 1) {
      opened.provider.awareness.setLocalStateField('value', value)
      await world.pass(10)
    }
    await world.pass(1_000)
    const values = announced(opened).map(([, state]) => (state as { value: number }).value)
    expect(values.length).toBeLessThanOrEqual(6)
    expect([values[0], values.at(-1)]).toEqual([0, 49])
  })

  test('goes with an edit in one frame, and leaves no timer behind', async () => {
    const opened = world.open(world.device())
    await world.pass(1_000)
    opened.sent.length = 0
    const before = world.clock.timers
    const told: unknown[] = []
    const other = world.open(world.device())
    await world.pass(1_000)
    other.provider.awareness.on('update', () =>
      told.push(other.provider.awareness.getStates().get(opened.doc.clientID)),
    )
    for (let caret = 0; caret < 4; caret += 1) {
      opened.type('x')
      opened.provider.awareness.setLocalStateField('caret', caret)
      await world.pass(30)
    }
    const frames = opened.sent.map((frame) => messagesIn(frame).map(({ type }) => type))
    expect(frames).toEqual(Array.from({ length: 4 }, () => ['update', 'awareness']))
    expect(told).toEqual([0, 1, 2, 3].map((caret) => ({ caret })))
    await world.pass(1_000)
    // More than before: that of the other's link, and the one that looks whether an edit is stuck.
    expect([opened.sent.length, world.saved, world.clock.timers]).toEqual([4, 'xxxx', before + 2])
  })

  test('waits when it was told less than half awarenessThrottle ago, edits or not', async () => {
    const opened = world.open(world.device(), { awarenessThrottle: 1_000 })
    await world.pass(5_000)
    opened.sent.length = 0
    for (let caret = 0; caret < 100; caret += 1) {
      opened.type('x')
      opened.provider.awareness.setLocalStateField('caret', caret)
      await world.pass(20)
    }
    await world.pass(5_000)
    const carets = announced(opened).map(([, state]) => (state as { caret: number }).caret)
    expect(carets).toEqual([0, 25, 50, 75, 99])
  })

  test('goes by itself to a server that reads one message from a frame, at once all the same', async () => {
    const foreign = new ClientWorld({ dialect: 'y-websocket', wrap: (server) => new ForeignServer(server) })
    const opened = foreign.open(foreign.device())
    opened.provider.awareness.setLocalStateField('caret', 0)
    await foreign.pass(1_000)
    expect(announced(opened)).toEqual([[1, { caret: 0 }]])
    opened.sent.length = 0
    opened.type('x')
    opened.provider.awareness.setLocalStateField('caret', 1)
    await foreign.pass(1)
    expect(opened.sent.map(([type]) => type)).toEqual([0, 1])
    foreign.destroy()
  })

  test('that cannot be encoded keeps no edit back', async () => {
    const reported = vi.fn()
    vi.stubGlobal('reportError', reported)
    const opened = world.open(world.device())
    await world.pass(1_000)
    opened.type('x')
    opened.provider.awareness.setLocalStateField('size', 1n)
    await world.pass(1_000)
    expect([world.saved, opened.provider.unsavedChanges, opened.provider.wsconnected]).toEqual(['x', 0, true])
    expect(reported).toHaveBeenCalled()
    vi.unstubAllGlobals()
  })

  test('never comes before the text it points into', async () => {
    const opened = world.open(world.device(), { awarenessThrottle: 0 })
    await world.pass(1_000)
    opened.sent.length = 0
    for (let caret = 1; caret <= 50; caret += 1) {
      opened.type('x')
      opened.provider.awareness.setLocalStateField('caret', caret)
      await world.pass(3)
    }
    const doc = new Y.Doc()
    for (const message of opened.sent.flatMap(messagesIn)) {
      if (message.type === 'update') Y.applyUpdate(doc, message.update)
      else if (message.type !== 'awareness') continue
      else
        for (const { json } of readAwareness(message.states)) expect(caretIn(json)).toBeLessThanOrEqual(lengthOf(doc))
    }
    expect(lengthOf(doc)).toBe(50)
  })

  test('is not armed when a listener ends the connection that has just opened', async () => {
    const awareness = new Awareness(new Y.Doc())
    awareness.setLocalStateField('name', 'me')
    const before = world.clock.timers
    const opened = world.open(world.device(), { awareness })
    opened.provider.on('status', ({ status }) => status === 'connected' && opened.provider.destroy())
    await world.pass(50)
    expect([opened.provider.stats.framesOut, world.clock.timers]).toEqual([0, before])
    awareness.destroy()
  })

  test('is told within a tenth of a second to a server that never asks what it lacks', async () => {
    const silent = new ClientWorld({
      wrap: (server) => ({
        accept: (end, url) => {
          const send = end.send.bind(end)
          Object.assign(end, {
            send: (data: Uint8Array) => (data[0] === 0 && data[1] === 0 ? undefined : send(data)),
          })
          server.accept(end, url)
        },
      }),
    })
    const opened = silent.open(silent.device())
    opened.provider.awareness.setLocalStateField('name', 'me')
    await silent.pass(90)
    expect(announced(opened)).toEqual([])
    await silent.pass(50)
    expect(announced(opened)).toEqual([[1, { name: 'me' }]])
    silent.destroy()
  })

  test('is kept when somebody says that we are gone', async () => {
    const [me, other] = [world.open(world.device()), world.open(world.device())]
    me.provider.awareness.setLocalState({ name: 'me' })
    await world.pass(1_000)
    me.sent.length = 0
    // As a server does whose connection to us has timed out while we have another.
    const json = Buffer.from('null')
    const id = me.doc.clientID
    const varUint = (value: number): number[] =>
      value < 128 ? [value] : [(value % 128) | 128, ...varUint(Math.floor(value / 128))]
    const states = [1, ...varUint(id), 1, 4, ...json]
    world.say(new Uint8Array([1, states.length, ...states]))
    await world.pass(1_000)
    expect(announced(me)).toEqual([[2, { name: 'me' }]])
    expect(other.provider.awareness.getStates().get(id)).toEqual({ name: 'me' })
  })

  test('that nobody has set is not announced: every receiver drops clock 0', async () => {
    const opened = world.open(world.device())
    await world.pass(5_000)
    expect(announced(opened)).toEqual([])
  })

  test('of nobody is not announced', async () => {
    const opened = world.open(world.device(), { connect: false })
    opened.provider.awareness.setLocalState(null)
    opened.provider.connect()
    await world.pass(1_000)
    expect(announced(opened)).toEqual([])
  })

  test('is ours alone: what others show is not repeated', async () => {
    const [me, other] = [world.open(world.device()), world.open(world.device())]
    await world.pass(1_000)
    me.sent.length = 0
    for (let value = 0; value < 5; value += 1) {
      other.provider.awareness.setLocalStateField('value', value)
      await world.pass(1_000)
    }
    expect(announced(me)).toEqual([])
  })
})

test('100 clients that lose their server come back spread over time', async () => {
  const devices = Array.from({ length: 100 }, () => world.device())
  for (const [index, device] of devices.entries()) world.open(device, {}, `room ${String(index)}`)
  await world.pass(10_000)
  for (const device of devices) {
    device.network.reachability = 'refusing'
    device.network.cut()
  }
  await world.pass(5_000)
  for (const device of devices) device.network.reachability = 'up'
  const arrivals: number[] = []
  let before = 100
  for (let bucket = 0; bucket < 60; bucket += 1) {
    await world.pass(100)
    const now = devices.reduce((sum, device) => sum + device.network.opened, 0)
    arrivals.push(now - before)
    before = now
  }
  expect(before).toBe(200)
  expect(Math.max(...arrivals)).toBeLessThan(25)
})
