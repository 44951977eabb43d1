import { afterEach, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import type { Environment } from '../../client/index.ts'
import type { FakeDevice } from '../../client/testing/index.ts'
import { MessageType } from '../../shared/wire/messages.ts'
import { ClientWorld } from './clientWorld.ts'
import type { Opened } from './clientWorld.ts'

let world = new ClientWorld()

afterEach(() => {
  world.destroy()
  world = new ClientWorld()
})

async function openTabs(): Promise<{ first: Opened; second: Opened; device: FakeDevice }> {
  const device = world.device()
  const [first, second] = [world.open(device, { disableBc: false }), world.open(device, { disableBc: false })]
  await world.pass(1_000)
  return { first, second, device }
}

function uploads({ sent }: Opened): number {
  return sent.filter(([type]) => type === MessageType.countedUpdate).length
}

describe('two tabs with one document', () => {
  test('see each other without a server, and each edit once', async () => {
    const { first, second, device } = await openTabs()
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(10)
    const updates: unknown[] = []
    second.doc.on('update', (_update, origin) => updates.push(origin))
    first.type('a')
    await world.pass(1)
    expect([second.text, updates]).toEqual(['a', [second.provider]])
  })

  test('do not send what the other one sends, nor count it as their own', async () => {
    const { first, second } = await openTabs()
    for (const letter of 'abcdefgh') {
      first.type(letter)
      await world.pass(700)
    }
    await world.pass(10_000)
    expect([uploads(first), uploads(second)]).toEqual([8, 0])
    expect([world.saved, second.text, second.provider.unsavedChanges]).toEqual(['abcdefgh', 'abcdefgh', 0])
  })

  test('send what the other one could not send before it was closed', async () => {
    const [device, broken] = [world.device(), world.device()]
    const environment = { ...device.environment, webSocket: () => broken.network.WebSocket }
    const first = world.open(device, { disableBc: false, environment })
    const second = world.open(device, { disableBc: false })
    await world.pass(1_000)
    broken.network.goSilent()
    first.type('last words')
    await world.pass(10)
    first.provider.destroy()
    expect([world.saved, second.text]).toEqual(['', 'last words'])
    await world.pass(10_000)
    expect([world.saved, second.provider.unsavedChanges, device.network.opened]).toEqual(['last words', 0, 1])
    expect(uploads(second)).toBe(1)
  })

  test('wait for what they were told by the other one, too, when asked whether all is saved', async () => {
    const { first, second } = await openTabs()
    world.server.hold()
    first.type('x')
    await world.pass(10)
    let isSaved = false
    const saved = second.provider.whenSaved().then(() => {
      isSaved = true
    })
    await world.pass(5_000)
    expect(isSaved).toBe(false)
    world.server.release()
    await world.pass(1_000)
    await saved
    expect(world.saved).toBe('x')
  })

  test('do not take what one was told by the other for saved because something older is', async () => {
    world = new ClientWorld({ dialect: 'y-websocket' })
    const [device, broken] = [world.device({ latencyMs: 100 }), world.device()]
    const environment = { ...device.environment, webSocket: () => broken.network.WebSocket }
    const first = world.open(device, { disableBc: false, environment })
    await world.pass(1_000)
    broken.network.goSilent()
    const second = world.open(device, { disableBc: false })
    second.type('x')
    // 200 ms until it is connected, 200 until it knows what the server lacks, 200 until it knows that `x` has arrived.
    await world.pass(550)
    first.type('y')
    await world.pass(60)
    expect([second.text.length, second.provider.synced]).toEqual([2, true])
    let isSaved = false
    const saved = second.provider.whenSaved().then(() => {
      isSaved = true
    })
    world.server.hold()
    await world.pass(5_000)
    expect([isSaved, world.saved]).toEqual([false, 'x'])
    world.server.release()
    await world.pass(1_000)
    await saved
    expect(world.saved.split('').toSorted()).toEqual(['x', 'y'])
  })

  test.each(['edit', 'deletion'])(
    'send what of each other had to wait for what the server says later (%s)',
    async (what) => {
      const [device, late, mute] = [world.device(), world.device({ latencyMs: 300 }), world.device()]
      const over = ({ network }: FakeDevice): Environment => ({
        ...device.environment,
        webSocket: () => network.WebSocket,
      })
      const author = world.open(world.device())
      const stays = world.open(device, { disableBc: false, persistence: true, environment: over(late) })
      const leaves = world.open(device, { disableBc: false, environment: over(mute) })
      await world.pass(5_000)
      author.type('XX')
      await world.pass(100)
      expect([stays.text, leaves.text]).toEqual(['', 'XX'])
      mute.network.goSilent()
      if (what === 'edit') leaves.type('y')
      else leaves.doc.getText('text').delete(1, 1)
      await world.pass(10)
      leaves.provider.destroy()
      await world.pass(20_000)
      const expected = what === 'edit' ? 'XXy' : 'X'
      expect([stays.text, world.saved, stays.provider.unsavedChanges]).toEqual([expected, expected, 0])
    },
  )

  test('do not upload what the server has when another one tells it, though something is pending', async () => {
    const gap = new Y.Doc()
    gap.getText('text').insert(0, 'lost')
    const before = Y.encodeStateVector(gap)
    gap.getText('text').insert(4, 'pending')
    const { first, second, device } = await openTabs()
    first.type('x'.repeat(10_000))
    await world.pass(1_000)
    for (const { doc } of [first, second]) Y.applyUpdate(doc, Y.encodeStateAsUpdate(gap, before))
    await world.pass(10_000)
    for (const { sent } of [first, second]) sent.length = 0
    world.open(device, { disableBc: false })
    await world.pass(10_000)
    const bytes = [first, second].map(({ sent }) => sent.reduce((sum, { length }) => sum + length, 0))
    expect(Math.max(...bytes)).toBeLessThan(1_000)
  })

  test('tell each other who is there, and who leaves', async () => {
    const { first, second, device } = await openTabs()
    device.network.reachability = 'refusing'
    device.network.cut()
    await world.pass(1_000)
    const seen = (): unknown => second.provider.awareness.getStates().get(first.doc.clientID)?.['name']
    first.provider.awareness.setLocalStateField('name', 'first')
    await world.pass(100)
    expect(seen()).toBe('first')
    first.provider.disconnectBc()
    await world.pass(1)
    expect([seen(), first.provider.bcconnected]).toEqual([undefined, false])
  })

  test('leave no timer behind when they go while they owe the server something', async () => {
    const { first, second } = await openTabs()
    world.server.hold()
    first.type('x')
    await world.pass(10)
    for (const { provider } of [first, second]) provider.destroy()
    await world.pass(10)
    expect(world.clock.timers).toBe(0)
  })
})
