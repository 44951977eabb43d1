import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'
import { Collaborator } from '../support/collaborator.ts'
import { eventually } from '../support/eventually.ts'
import { HostileRoom, ROOM } from '../support/hostileRoom.ts'
import { hex, message, protocols, varUint } from '../support/rawMessages.ts'

const SECRET = 'not saved yet'

interface Scene {
  readonly room: HostileRoom
  readonly engine: FaultyEngine
  readonly author: Collaborator
  /** `saved` before the edit. */
  readonly before: number
}

async function openScene(protocol: (typeof protocols)[number]): Promise<Scene> {
  const engine = new FaultyEngine(new MemoryEngine())
  const room = await HostileRoom.open({ engine })
  const author = await room.join(protocol)
  await room.staysUp()
  if (protocol === 'hocuspocus') await author.until(() => author.saved === 1, 'the handshake is acknowledged')
  return { room, engine, author, before: author.saved }
}

/** Presence needs no storage: once this arrives, whatever would have been relayed before it has been. */
async function beat(room: HostileRoom, clock: number): Promise<void> {
  const { writer, reader } = room.here
  const json = `{"at":${String(clock)}}`
  writer.announce(json, clock)
  for (const one of [reader, writer]) {
    await one.until(() => one.presence.get(writer.doc.clientID)?.json === json, 'presence flows')
  }
}

async function storedText(engine: FaultyEngine): Promise<string> {
  const doc = new Y.Doc()
  const { snapshot, tail } = await engine.load(ROOM)
  for (const update of [snapshot?.state, ...tail.map((entry) => entry.update)]) {
    if (update !== undefined) Y.applyUpdate(doc, update)
  }
  return doc.getText('text').toString()
}

/** Everything an observer could have been shown of an edit of this client. */
function sees(one: Collaborator, client: number): boolean {
  return one.heard.some((heard) => {
    if (heard.type !== 'update' && heard.type !== 'step2') return false
    return Y.decodeUpdate(heard.update).structs.some((struct) => struct.id.client === client)
  })
}

describe.each(protocols)('an edit of a %s client', (protocol) => {
  test('P1: nobody sees it, and its author is not told "saved", before it is durable', async () => {
    const { room, engine, author, before } = await openScene(protocol)
    const { writer, reader } = room.here
    const release = engine.hold('append')
    const appends = engine.calls('append')
    author.type(SECRET)
    author.say(message.probe(hex('01')))
    author.join() // and asks for everything: its answer must wait as well
    await eventually(() => engine.calls('append') > appends, 'the edit is on its way')
    const fresh = await room.join(protocol, { joins: false })
    fresh.join(varUint(0))
    const informed = await room.join('y-websocket', { joins: false })
    informed.join(Y.encodeStateVector(reader.doc))
    let wasRead = false
    const read = room.host.server.documents.read(ROOM).then((update) => {
      wasRead = true
      return update
    })
    await beat(room, 1)
    await beat(room, 2)
    const echoes = author.count('update') + author.count('step2')
    for (const one of [author, writer, reader, fresh, informed]) expect(sees(one, author.doc.clientID)).toBe(false)
    expect(author.saved).toBe(before)
    expect(author.count('probe')).toBe(0)
    expect([fresh.count('step2'), informed.count('step2')]).toEqual([0, 0])
    expect(wasRead).toBe(false)
    expect(await storedText(engine)).not.toContain(SECRET)

    release()
    for (const one of [writer, reader, fresh, informed]) {
      await one.until(() => sees(one, author.doc.clientID), 'it is seen')
    }
    await author.until(() => author.count('probe') === 1, 'the proof comes')
    await author.until(() => author.count('update') + author.count('step2') >= echoes + 2, 'echo and answer come')
    expect(await storedText(engine)).toContain(SECRET)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await read)
    expect(doc.getText('text').toString()).toContain(SECRET)
    await room.staysUp()
    // The edit, and the SyncStep2 with which the client answered the server's question.
    if (protocol === 'hocuspocus') expect(author.saved).toBe(before + 2)
  })

  test.each(['before', 'after'] as const)(
    'P1: appends that fail %s they are done: it is delivered once and acknowledged once, when one has worked',
    async (timing) => {
      const { room, engine, author, before } = await openScene(protocol)
      const { writer, reader } = room.here
      const heard = reader.count('update')
      engine.fail('append', 5, timing) // for one and a half seconds, in which it is not seen
      author.type(SECRET)
      await eventually(() => room.host.count('commitFailed') === 1, 'the first append has failed')
      await beat(room, 1)
      expect([sees(reader, author.doc.clientID), sees(writer, author.doc.clientID)]).toEqual([false, false])
      expect(author.saved).toBe(before)
      await reader.until(() => reader.text.includes(SECRET), 'it arrives')
      expect(room.host.count('commitFailed')).toBe(5)
      await beat(room, 2)
      expect(reader.count('update')).toBe(heard + 1)
      expect((await storedText(engine)).split(SECRET)).toHaveLength(2)
      if (protocol === 'hocuspocus') expect(author.saved).toBe(before + 1)
      await room.staysUp()
    },
  )

  test('P1: edits made while nothing can be stored all arrive, in one piece, when it can', async () => {
    const { room, engine, author, before } = await openScene(protocol)
    const { reader } = room.here
    const release = engine.hold('append')
    engine.fail('append', 2)
    for (const letter of 'hgfedcba') author.type(letter)
    room.here.writer.type('other')
    await beat(room, 1)
    expect(reader.text).not.toMatch(/[h]|other/)
    release()
    await reader.until(() => reader.text.includes('abcdefgh') && reader.text.includes('other'), 'all arrives')
    await room.staysUp()
    if (protocol === 'hocuspocus') expect(author.saved).toBe(before + 8)
    expect(await storedText(engine)).toContain('abcdefgh')
  })

  test('P1: presence that came together with an edit does not wait for its append', async () => {
    const { room, engine, author } = await openScene(protocol)
    const release = engine.hold('append')
    author.raw.socket.cork()
    author.type(SECRET)
    author.announce('{"u":1}', 1)
    author.raw.socket.uncork()
    const { reader } = room.here
    await reader.until(() => reader.presence.has(author.doc.clientID), 'presence is seen')
    expect(sees(reader, author.doc.clientID)).toBe(false)
    release()
  })

  test('P1: an author that is gone before its edit is durable has written it all the same', async () => {
    const { room, engine, author } = await openScene(protocol)
    const release = engine.hold('append')
    const appends = engine.calls('append')
    author.type(SECRET)
    await eventually(() => engine.calls('append') > appends, 'the edit is on its way')
    author.destroy()
    await beat(room, 1)
    release()
    await room.here.reader.until(() => room.here.reader.text.includes(SECRET), 'it arrives')
    expect(await storedText(engine)).toContain(SECRET)
  })

  test('P2: a document that cannot be loaded is never shown as an empty one', async () => {
    const engine = new FaultyEngine(new MemoryEngine())
    const room = await HostileRoom.open({ engine })
    const doc = new Y.Doc()
    doc.getText('text').insert(0, 'old')
    await engine.append('late', Y.encodeStateAsUpdate(doc))
    const release = engine.hold('load')
    engine.fail('load', 2)
    const joiner = await Collaborator.open(room.port, 'late', { protocol, joins: false })
    joiner.join()
    joiner.type('new ')
    await room.staysUp()
    expect(joiner.count('step2')).toBe(0)
    expect(joiner.saved).toBe(0)
    release()
    await joiner.until(() => joiner.text.includes('old') && joiner.text.includes('new'), 'it is there')
    joiner.destroy()
  })
})
