import { afterEach, describe, expect, test } from 'vitest'
import { WebsocketProvider as StockProvider } from 'y-websocket'
import * as Y from 'yjs'
import { encodeAwareness } from '../../shared/wire/awareness.ts'
import { Feature, hello } from '../../shared/wire/hello.ts'
import {
  awareness,
  confirmation,
  countedUpdate,
  probeAnswer,
  syncStep1,
  syncUpdate,
} from '../../shared/wire/messages.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { FakeNetwork } from '../../client/testing/fakeNetwork.ts'
import { FakeServer } from '../../client/testing/fakeServer.ts'
import type { Dialect } from '../../client/testing/fakeServer.ts'
import { LinkPair } from '../../client/testing/linkPair.ts'
import { Random } from '../../client/testing/random.ts'

const cleanups: (() => void)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

/** An update that writes `text` into an empty document. */
function written(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

const hex = (message: Uint8Array): string => Buffer.from(message).toString('hex')
const textOf = (doc: Y.Doc): string => doc.getText('text').toJSON()
const emptyVector = Uint8Array.of(0)

function start(dialect: Dialect = 'scriptorium') {
  const clock = new FakeClock()
  const server = new FakeServer({ dialect })
  /** A connection by hand: what is sent as bytes, what is heard as hex. */
  const connect = (path = '/room') => {
    const [near, far] = new LinkPair({ clock, random: new Random(1) }).ends
    const heard: string[] = []
    let closed: number | null = null
    near.listener = { onMessage: (message) => heard.push(hex(message)), onClose: ({ code }) => void (closed = code) }
    server.accept(far, new URL(`ws://fake${path}`))
    const say = (message: Uint8Array): string[] => {
      near.send(message)
      clock.advance(0)
      clock.advance(0)
      return heard.splice(0)
    }
    return {
      near,
      say,
      heard,
      get closed() {
        return closed
      },
    }
  }
  return { clock, server, connect }
}

describe('the fake server', () => {
  test('two stock providers agree through it, come back after a crash, and leave their presence behind them', () => {
    const { clock, server } = start()
    const clients = [1, 2].map((seed) => {
      const network = new FakeNetwork({ clock, server, seed, conditions: { latencyMs: 10, jitterMs: 30 } })
      const provider = new StockProvider('ws://fake', 'some room', new Y.Doc(), {
        WebSocketPolyfill: network.WebSocket,
        disableBc: true,
      })
      provider.awareness.setLocalState({ name: `client ${seed}` })
      cleanups.push(() => provider.destroy())
      return { network, provider, doc: provider.doc }
    })
    const [one, two] = clients as [(typeof clients)[0], (typeof clients)[0]]
    clock.advance(500)
    expect(clients.map(({ provider }) => provider.synced)).toEqual([true, true])
    one.doc.getText('text').insert(0, 'one ')
    two.doc.getText('text').insert(0, 'two ')
    clock.advance(500)
    expect(textOf(one.doc)).toBe(textOf(two.doc))
    expect(textOf(server.document('some room'))).toBe(textOf(two.doc))
    one.provider.awareness.setLocalStateField('at', 3)
    clock.advance(500)
    expect(two.provider.awareness.getStates().get(one.doc.clientID)).toEqual({ name: 'client 1', at: 3 })

    server.crash()
    clock.advance(500)
    expect(clients.map(({ provider }) => provider.wsconnected)).toEqual([false, false])
    one.doc.getText('text').insert(0, 'offline ')
    for (const { provider } of clients) provider.connect()
    clock.advance(500)
    expect(textOf(two.doc)).toMatch(/^offline /)
    expect(textOf(two.doc)).toBe(textOf(one.doc))
    one.network.cut()
    clock.advance(500)
    expect(two.provider.awareness.getStates().has(one.doc.clientID)).toBe(false)
  })

  test('answers SyncStep1 with its own and the state, relays to all who were told, and answers probes', () => {
    const { clock, server, connect } = start()
    const one = connect()
    const two = connect()
    const update = written('x')
    expect(one.say(syncStep1(emptyVector))).toEqual(['00000100', '0001020000'])
    expect(two.say(syncUpdate(update)), 'two was not told the state yet').toEqual([])
    clock.advance(0)
    expect(one.heard.splice(0)).toEqual([hex(syncUpdate(update))])
    expect(one.say(probeAnswer(Uint8Array.of(5)))).toEqual([hex(probeAnswer(Uint8Array.of(5)))])
    expect(server.connections).toBe(2)
  })

  test('introduces itself first, once, to who asks for it, and never speaks first', () => {
    const { clock, connect } = start()
    const one = connect('/room?hello=1')
    clock.advance(0)
    expect(one.heard).toEqual([])
    expect(one.say(syncStep1(emptyVector))).toEqual([hex(hello(Feature.durable)), '00000100', '0001020000'])
    expect(one.say(syncStep1(emptyVector))).toEqual(['00000100', '0001020000'])
  })

  test('who has asked is told how many of its counted updates are saved, and spared its own words', () => {
    const { clock, connect } = start()
    const [one, two] = [connect('/room?hello=1'), connect()]
    for (const end of [one, two]) end.say(syncStep1(emptyVector))
    const update = written('x')
    expect(one.say(countedUpdate(update))).toEqual([hex(confirmation(1))])
    clock.advance(0)
    expect(two.heard.splice(0)).toEqual([hex(syncUpdate(update))])
    expect(one.say(syncUpdate(written('y'))), 'not counted').toEqual([])
  })

  test('as a foreign server it neither introduces itself nor answers probes', () => {
    const one = start('y-websocket').connect('/room?hello=1')
    expect(one.say(probeAnswer(Uint8Array.of(5)))).toEqual([])
    expect(one.say(syncStep1(emptyVector))).toEqual(['00000100', '0001020000'])
  })

  test('while storage is held nothing is relayed, answered or acknowledged; then all of it is, in order', () => {
    const { clock, server, connect } = start()
    const one = connect()
    one.say(syncStep1(emptyVector))
    server.hold()
    const update = written('x')
    expect(one.say(syncUpdate(update))).toEqual([])
    expect(one.say(probeAnswer(Uint8Array.of(1)))).toEqual([])
    const late = connect()
    expect(late.say(syncStep1(emptyVector))).toEqual([])
    expect(textOf(server.document('room'))).toBe('')
    server.release()
    clock.advance(0)
    expect(one.heard).toEqual([hex(syncUpdate(update)), hex(probeAnswer(Uint8Array.of(1)))])
    expect(late.heard).toHaveLength(2)
    expect(textOf(server.document('room'))).toBe('x')
  })

  test('a crash loses what was held and nothing else, and takes all connections with it', () => {
    const { clock, server, connect } = start()
    const one = connect()
    one.say(syncUpdate(written('saved ')))
    server.hold()
    one.say(syncUpdate(written('held ')))
    server.crash()
    server.release()
    clock.advance(0)
    expect(one.closed).toBe(1006)
    expect(server.connections).toBe(0)
    expect(textOf(server.document('room'))).toBe('saved ')
    expect(connect().say(syncStep1(emptyVector))).toHaveLength(2)
  })

  test('an orderly restart says 1012; who is denied is told why, closed 4400, and not listened to', () => {
    const { clock, server, connect } = start()
    const one = connect()
    server.restart()
    clock.advance(0)
    expect(one.closed).toBe(1012)
    const member = connect()
    member.say(syncStep1(emptyVector))
    server.deny('room', 'no')
    member.near.send(syncUpdate(written('too late')))
    clock.advance(0)
    clock.advance(0)
    const stranger = connect()
    clock.advance(0)
    for (const { heard, closed } of [member, stranger]) {
      expect(heard).toEqual(['0200026e6f'])
      expect(closed).toBe(4400)
    }
    expect(textOf(server.document('room'))).toBe('')
    expect(connect('/other').say(syncStep1(emptyVector))).toHaveLength(2)
  })

  test('presence: told to newcomers, removed at its own clock, kept by who has come back', () => {
    const { clock, server, connect } = start()
    const state = (clockValue: number, json: string) =>
      awareness(encodeAwareness([{ client: 9, clock: clockValue, json: new TextEncoder().encode(json) }]))
    const watcher = connect()
    watcher.say(syncStep1(emptyVector))
    const owner = connect()
    owner.say(state(3, '{"a":1}'))
    clock.advance(0)
    expect(watcher.heard.splice(0)).toEqual([hex(state(3, '{"a":1}'))])
    owner.say(state(2, '{"a":0}'))
    clock.advance(0)
    expect(watcher.heard.splice(0), 'what is late travels on, as with every relay').toHaveLength(1)
    const newcomer = connect()
    expect(newcomer.say(syncStep1(emptyVector)).at(-1)).toBe(hex(state(3, '{"a":1}')))
    const returned = connect()
    returned.say(state(4, '{"a":2}'))
    owner.near.close()
    clock.advance(0)
    clock.advance(0)
    expect(watcher.heard.splice(0)).toEqual([hex(state(4, '{"a":2}'))])
    returned.near.destroy()
    clock.advance(0)
    clock.advance(0)
    expect(watcher.heard).toEqual([hex(state(4, 'null'))])
    expect(server.connections).toBe(2)
  })

  test('who sends what cannot be decoded or applied is closed 1007, and nobody else notices', () => {
    const { clock, server, connect } = start()
    const other = connect()
    other.say(syncStep1(emptyVector))
    const wrong = [Uint8Array.of(0, 9, 0), syncUpdate(Uint8Array.of(1, 1, 1))]
    for (const message of wrong) {
      const one = connect()
      one.say(message)
      clock.advance(0)
      expect(one.closed, hex(message)).toBe(1007)
    }
    expect(other.closed).toBe(null)
    expect(server.connections).toBe(1)
  })
})
