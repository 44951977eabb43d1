import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { WebsocketProvider } from '../../client/provider.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { FakeDevice } from '../../client/testing/fakeDevice.ts'
import { FakeServer } from '../../client/testing/fakeServer.ts'
import { Random } from '../../client/testing/random.ts'
import { RandomEditor } from '../../client/testing/randomEditor.ts'
import { forSeeds, fromEnvironment } from '../model/random.ts'

const RUNS = fromEnvironment('KIT_RUNS', 10)
const FIRST = fromEnvironment('KIT_SEED', 1)

/** 2 in 100 messages take the connection with them. */
const lossy = { latencyMs: 40, jitterMs: 200, cutProbability: 0.02 }

/** Everything the editors write. */
function contentOf(doc: Y.Doc): unknown {
  return {
    text: doc.getText('text').toDelta() as unknown,
    map: doc.getMap('map').toJSON(),
    list: doc.getArray('list').toJSON(),
  }
}

/** Two people write while their networks fail them. @returns what the document holds in the end, and how often they came back */
async function history(seed: number): Promise<{ readonly document: string; readonly reconnects: number }> {
  const clock = new FakeClock()
  const server = new FakeServer()
  const people = [2 * seed, 2 * seed + 1].map((own) => {
    const device = new FakeDevice({ clock, server, seed: own, conditions: lossy })
    const doc = new Y.Doc()
    doc.clientID = own // otherwise Yjs draws one, and no seed decides that
    const provider = new WebsocketProvider('ws://fake', 'room', doc, { environment: device.environment })
    return { device, doc, provider, editor: new RandomEditor(doc, new Random(own)) }
  })
  const [one] = people
  for (let step = 0; step < 300; step += 1) {
    for (const { editor } of people) editor.edit()
    if (step === 100) one?.device.network.goSilent()
    if (step === 150) server.hold()
    if (step === 200) server.crash()
    await clock.advanceAsync(100)
  }
  for (const { device } of people) device.network.change({ cutProbability: 0 })
  await clock.advanceAsync(60_000)

  const saved = server.document('room')
  for (const { doc, provider, device } of people) {
    expect(Y.encodeStateVector(doc)).toEqual(Y.encodeStateVector(saved))
    expect(contentOf(doc)).toEqual(contentOf(saved))
    expect(provider.unsavedChanges).toBe(0)
    expect(provider.ackLevel).toBe('durable')
    provider.destroy()
    expect([device.page.listeners, device.tabs.subscribers, device.stores.openStores]).toEqual([0, 0, 0])
  }
  await clock.advanceAsync(1_000)
  expect([clock.timers, server.connections]).toEqual([0, 0])
  const reconnects = people.reduce((sum, { provider }) => sum + provider.stats.reconnects, 0)
  return { document: JSON.stringify(contentOf(saved)), reconnects }
}

describe('the testing kit, as its users use it', () => {
  test(`two people on lossy networks agree in the end and everything is saved, in ${RUNS} seeded histories`, async () => {
    await forSeeds({ name: 'kit', runs: RUNS, first: FIRST }, async (seed) => {
      const { document, reconnects } = await history(seed)
      expect(document.length).toBeGreaterThan(100)
      expect(reconnects).toBeGreaterThan(4)
    })
  })

  test('the same seed is the same history', async () => {
    expect(await history(77)).toEqual(await history(77))
    expect((await history(78)).document).not.toBe((await history(77)).document)
  })
})
