import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { Collaborator } from '../support/collaborator.ts'
import { protocols } from '../support/rawMessages.ts'
import { TestServer } from '../support/testServer.ts'

const TEXT = 'what was written before'

/** A document whose first `inSnapshot` characters are in a snapshot, and the rest one by one in the log. */
async function stored(inSnapshot: number): Promise<TestServer> {
  const engine = new MemoryEngine()
  const doc = new Y.Doc()
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => updates.push(update))
  for (const [index, character] of TEXT.split('').entries()) {
    doc.getText('text').insert(index, character)
    const cursor = await engine.append('room', updates[index] ?? new Uint8Array())
    if (index + 1 !== inSnapshot) continue
    const snapshot = { state: Y.encodeStateAsUpdate(doc), stateVector: Y.encodeStateVector(doc) }
    expect(await engine.compact('room', null, cursor, snapshot)).toBe(true)
  }
  const server = await TestServer.start({ engine })
  onTestFinished(() => server.dispose())
  return server
}

describe.each(protocols)('a %s client joins', (protocol) => {
  test.each([
    ['a log without a snapshot', 0],
    ['a snapshot and a short tail', TEXT.length - 2],
    ['a snapshot and a long tail', 3],
    ['a snapshot alone', TEXT.length],
  ])('D7: it has everything when it takes itself for synced: %s', async (_what, inSnapshot) => {
    const server = await stored(inSnapshot)
    // Resolves with the SyncStep2, before anything that follows it is read.
    const client = await Collaborator.open(server.port, 'room', { protocol, joins: false })
    onTestFinished(() => client.destroy())
    let atSync: string | null = null
    const { onMessage } = client.raw
    client.raw.onMessage = (frame) => {
      onMessage?.(frame)
      if (client.count('step2') === 1) atSync ??= client.text
    }
    client.join()
    await client.until(() => atSync !== null, 'it is synced')
    expect(atSync).toBe(TEXT)
    expect(client.doc.store.pendingStructs).toBeNull()
  })
})
