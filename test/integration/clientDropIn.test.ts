import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { RawData } from 'ws'
import type { Awareness } from 'y-protocols/awareness'
import * as original from 'y-websocket'
import * as Y from 'yjs'
import * as ours from '../../client/index.ts'
import { eventually } from '../support/eventually.ts'
import { TestServer } from '../support/testServer.ts'

/** What is common to both classes, by y-websocket's own names. */
interface Provider {
  readonly url: string
  readonly serverUrl: string
  readonly roomname: string
  readonly bcChannel: string
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly synced: boolean
  readonly wsconnected: boolean
  readonly wsconnecting: boolean
  readonly bcconnected: boolean
  readonly ws: unknown
  readonly wsUnsuccessfulReconnects: number
  readonly wsLastMessageReceived: number
  readonly messageHandlers: unknown[]
  shouldConnect: boolean
  params: Record<string, string>
  connect(): void
  disconnect(): void
  destroy(): void
  on(event: string, listener: (...args: unknown[]) => void): unknown
}

type ProviderClass = new (url: string, room: string, doc: Y.Doc, options?: Record<string, unknown>) => Provider

// Their declarations differ; what is used here is what both say they are.
const classes = [
  ['y-websocket 3.1', original.WebsocketProvider as unknown as ProviderClass],
  ['ours', ours.WebsocketProvider as unknown as ProviderClass],
] as const

const EVENTS = ['status', 'synced', 'sync', 'connection-close', 'connection-error', 'closed']

// y-websocket compares with the global class even when it was given another.
beforeAll(() => vi.stubGlobal('WebSocket', WebSocket))

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function startServer(): Promise<TestServer> {
  const host = await TestServer.start()
  cleanups.push(() => host.dispose())
  return host
}

/** A server that says nothing by itself: what clients do is all there is to see. */
class SilentServer {
  readonly sockets: WebSocket[] = []
  readonly urls: string[] = []
  readonly protocols: string[] = []
  readonly received: Uint8Array[] = []
  readonly #server: WebSocketServer

  constructor() {
    this.#server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    this.#server.on('connection', (socket, request) => {
      this.sockets.push(socket)
      this.urls.push(request.url ?? '')
      this.protocols.push(socket.protocol)
      socket.on('message', (data: RawData) => this.received.push(new Uint8Array(data as Buffer)))
    })
    cleanups.push(() => {
      for (const socket of this.sockets) socket.terminate()
      this.#server.close()
    })
  }

  async listen(): Promise<string> {
    if (this.#server.address() === null) await once(this.#server, 'listening')
    return `ws://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`
  }

  count(type: number): number {
    return this.received.filter((message) => message[0] === type).length
  }
}

describe.each(classes)('%s', (_name, ProviderClass) => {
  function open(url: string, room: string, options: Record<string, unknown> = {}): Provider {
    const doc = new Y.Doc()
    const provider = new ProviderClass(url, room, doc, {
      WebSocketPolyfill: WebSocket,
      disableBc: true,
      maxBackoffTime: 100,
      ...options,
    })
    cleanups.push(() => {
      provider.destroy()
      doc.destroy()
    })
    return provider
  }

  /** Events as text, oldest first. */
  function record(provider: Provider): string[] {
    const log: string[] = []
    for (const event of EVENTS) provider.on(event, (argument) => log.push(`${event} ${describeArgument(argument)}`))
    return log
  }

  test('has its fields, and connects at once', async () => {
    const host = await startServer()
    const provider = open(`${host.url}//`, 'some/room', { params: { a: 'b c' }, disableBc: false })
    expect(provider.serverUrl).toBe(host.url)
    expect(provider.url).toBe(`${host.url}/some/room?a=b%20c`)
    expect(provider.roomname).toBe('some/room')
    expect(provider.bcChannel).toBe(`${host.url}/some/room`)
    expect([provider.wsconnecting, provider.wsconnected, provider.synced]).toEqual([true, false, false])
    expect([provider.shouldConnect, provider.bcconnected, provider.ws !== null]).toEqual([true, true, true])
    await eventually(() => provider.synced, 'it is synced')
    expect([provider.wsconnecting, provider.wsconnected]).toEqual([false, true])
    expect(provider.wsUnsuccessfulReconnects).toBe(0)
    expect(Math.abs(Date.now() - provider.wsLastMessageReceived)).toBeLessThan(60_000)
    expect(host.server.documents.names()).toEqual(['some/room'])
    provider.destroy()
    expect([provider.ws, provider.bcconnected, provider.wsconnected]).toEqual([null, false, false])
  })

  test('says the same in the same order, from connecting to disconnecting', async () => {
    const host = await startServer()
    const provider = open(host.url, 'room', { connect: false })
    const log = record(provider)
    expect(provider.ws).toBeNull()
    provider.connect()
    provider.connect()
    await eventually(() => provider.synced, 'it is synced')
    provider.disconnect()
    provider.disconnect()
    expect(log).toEqual([
      'status connecting',
      'status connected',
      'synced true',
      'sync true',
      'connection-close null',
      'synced false',
      'sync false',
      'status disconnected',
    ])
    provider.connect()
    await eventually(() => provider.synced, 'it is synced again')
    expect(log.slice(8)).toEqual(['status connecting', 'status connected', 'synced true', 'sync true'])
  })

  test('comes back when the server closes, whatever the code', async () => {
    const server = new SilentServer()
    const provider = open(await server.listen(), 'room')
    const log = record(provider)
    await eventually(() => server.sockets.length === 1, 'it has connected')
    server.sockets[0]?.close(4500, 'later')
    await eventually(() => server.sockets.length === 2 && provider.wsconnected, 'it is back')
    server.sockets[1]?.close(1001)
    await eventually(() => server.sockets.length === 3 && provider.wsconnected, 'it is back again')
    expect(log).toEqual([
      'status connected',
      'connection-close 4500',
      'status disconnected',
      'status connecting',
      'status connected',
      'connection-close 1001',
      'status disconnected',
      'status connecting',
      'status connected',
    ])
  })

  test('tells of attempts that fail, and goes on', async () => {
    const server = new SilentServer()
    const url = await server.listen()
    const provider = open(url.replace('127.0.0.1', '127.0.0.2'), 'room', { connect: false })
    const log = record(provider)
    provider.connect()
    await eventually(() => log.filter((line) => line === 'status connecting').length > 2, 'it tries for the third time')
    expect(log.slice(0, 6)).toEqual([
      'status connecting',
      'connection-error error',
      'connection-close 1006',
      'status connecting',
      'connection-error error',
      'connection-close 1006',
    ])
    expect(provider.wsUnsuccessfulReconnects).toBeGreaterThan(1)
  })

  test('stops when access is denied, until it is told to connect', async () => {
    const host = await startServer()
    const provider = open(host.url, 'a%00b')
    const log = record(provider)
    await eventually(() => log.some((line) => line.startsWith('closed')), 'it is denied')
    expect(log).toEqual(['status connected', 'connection-close 4400', 'status disconnected', 'closed 4400'])
    expect([provider.shouldConnect, provider.ws]).toEqual([false, null])
    provider.on('closed', () => log.push('again'))
    provider.connect()
    await eventually(() => log.includes('again'), 'it is denied again')
  })

  test('asks shouldReconnect, if there is one', async () => {
    const server = new SilentServer()
    const asked: unknown[] = []
    const shouldReconnect = (event: { code: number }, about: unknown): boolean => {
      asked.push([event.code, about])
      return event.code === 4403
    }
    const provider = open(await server.listen(), 'room', { shouldReconnect })
    const log = record(provider)
    await eventually(() => server.sockets.length === 1, 'it has connected')
    server.sockets[0]?.close(4403)
    await eventually(() => server.sockets.length === 2 && provider.wsconnected, 'it is back')
    server.sockets[1]?.close(1001)
    await eventually(() => log.includes('closed 1001'), 'it has stopped')
    expect(asked).toEqual([
      [4403, provider],
      [1001, provider],
    ])
  })

  test('reads its parameters anew for each connection, and offers its subprotocols', async () => {
    const server = new SilentServer()
    const provider = open(await server.listen(), 'room', { params: { token: 'one' }, protocols: ['yauth-x'] })
    await eventually(() => server.sockets.length === 1, 'it has connected')
    provider.params = { token: 'two' }
    server.sockets[0]?.close(1001)
    await eventually(() => server.sockets.length === 2, 'it is back')
    expect(server.urls.map((url) => new URLSearchParams(url.split('?')[1]).get('token'))).toEqual(['one', 'two'])
    expect(server.urls[0]).toMatch(/^\/room\?/)
    expect(server.protocols).toEqual(['yauth-x', 'yauth-x'])
  })

  test('asks for everything again every resyncInterval', async () => {
    const server = new SilentServer()
    open(await server.listen(), 'room', { resyncInterval: 20, awareness: undefined })
    await eventually(() => server.count(0) > 3, 'it has asked four times')
    expect(server.received.filter((message) => message[0] === 0).map((message) => message[1])).not.toContain(1)
  })

  test('calls the message handlers of the application, and sends what they write', async () => {
    const server = new SilentServer()
    const provider = open(await server.listen(), 'room')
    const calls: unknown[] = []
    // oxlint-disable-next-line max-params -- y-websocket's signature
    provider.messageHandlers[50] = (
      encoder: { cpos: number; cbuf: Uint8Array },
      decoder: { pos: number; arr: Uint8Array },
      from: unknown,
      emitSynced: boolean,
      type: number,
    ) => {
      calls.push([decoder.arr[decoder.pos], from, emitSynced, type])
      decoder.pos += 1
      encoder.cbuf.set([51, 7])
      encoder.cpos = 2
    }
    expect(provider.messageHandlers.slice(0, 4).every((handler) => typeof handler === 'function')).toBe(true)
    await eventually(() => server.sockets.length === 1, 'it has connected')
    server.sockets[0]?.send(new Uint8Array([50, 9]))
    await eventually(() => server.count(51) === 1, 'the answer is there')
    expect(calls).toEqual([[9, provider, true, 50]])
  })

  test('sends edits as they are made, and what was made before as an answer', async () => {
    const host = await startServer()
    const [first, second] = [open(host.url, 'room'), open(host.url, 'room', { connect: false })]
    second.doc.getText('text').insert(0, 'offline')
    await eventually(() => first.synced, 'the first is synced')
    const origins: unknown[] = []
    first.doc.on('update', (_update, origin) => origins.push(origin))
    second.connect()
    await eventually(() => first.doc.getText('text').toJSON() === 'offline', 'it arrives')
    second.doc.getText('text').insert(7, ' online')
    await eventually(() => first.doc.getText('text').toJSON() === 'offline online', 'it arrives too')
    expect(new Set(origins)).toEqual(new Set([first]))
  })

  test('shows who is there, and forgets the others when the connection is gone', async () => {
    const host = await startServer()
    const [first, second] = [open(host.url, 'room'), open(host.url, 'room')]
    first.awareness.setLocalStateField('name', 'first')
    second.awareness.setLocalStateField('name', 'second')
    const names = (one: Provider): unknown[] => [...one.awareness.getStates().values()].map((state) => state['name'])
    await eventually(() => names(first).includes('second') && names(second).includes('first'), 'both see both')
    second.disconnect()
    expect(names(second)).toEqual(['second'])
    await eventually(() => !names(first).includes('second'), 'the second is gone')
    second.connect()
    await eventually(() => names(first).includes('second') && names(second).includes('first'), 'both see both again')
    second.awareness.setLocalState(null)
    await eventually(() => !names(first).includes('second'), 'the second shows itself no more')
  })

  test('syncs with other tabs without any server', async () => {
    const [url] = [`ws://127.0.0.1:1/${Math.random().toString(36)}`]
    const [first, second] = [open(url, 'room', { disableBc: false }), open(url, 'room', { disableBc: false })]
    first.doc.getText('text').insert(0, 'tab')
    first.awareness.setLocalStateField('name', 'first')
    await eventually(() => second.doc.getText('text').toJSON() === 'tab', 'the edit arrives')
    await eventually(() => second.awareness.getStates().size === 2, 'presence arrives')
    const late = open(url, 'room', { disableBc: false })
    await eventually(() => late.doc.getText('text').toJSON() === 'tab', 'who opens later gets everything')
    first.disconnect()
    expect(first.bcconnected).toBe(false)
    second.doc.getText('text').insert(3, '!')
    await eventually(() => late.doc.getText('text').toJSON() === 'tab!', 'the others go on')
    expect(first.doc.getText('text').toJSON()).toBe('tab')
  })
})

test('code written against y-websocket compiles against ours', () => {
  const doc = new Y.Doc()
  const provider = new ours.WebsocketProvider('ws://127.0.0.1:1', 'room', doc, {
    connect: false,
    WebSocketPolyfill: WebSocket,
    params: { a: 'b' },
    protocols: ['x'],
    resyncInterval: -1,
    maxBackoffTime: 1_000,
    disableBc: true,
    shouldReconnect: (event, from) => event.code !== 4401 && from.shouldConnect,
  })
  const global: ours.SocketClass = globalThis.WebSocket
  const told: unknown[] = []
  const onStatus = (event: { status: string }): void => void told.push(event.status)
  provider.on('status', onStatus)
  provider.once('sync', (isSynced: boolean) => void told.push(isSynced))
  provider.on('connection-close', (event, from) => told.push([event?.code, from.roomname]))
  provider.on('connection-error', (event, from) => told.push([event.type, from.url]))
  provider.on('closed', ({ code, reason }, from) => told.push([code, reason, from.synced]))
  provider.messageHandlers[50] = (_encoder, _decoder, from, emitSynced) => void told.push([from, emitSynced])
  provider.off('status', onStatus)
  provider.ws?.close()
  provider.destroy()
  doc.destroy()
  expect([global, told]).toEqual([WebSocket, []])
})

test('tabs of both classes understand each other', async () => {
  const url = `ws://127.0.0.1:1/${Math.random().toString(36)}`
  const providers = classes.map(([, ProviderClass]) => {
    return new ProviderClass(url, 'room', new Y.Doc(), { WebSocketPolyfill: WebSocket })
  })
  for (const [index, provider] of providers.entries()) {
    provider.doc.getArray('items').push([index])
    provider.awareness.setLocalStateField('index', index)
  }
  for (const provider of providers) {
    await eventually(() => provider.doc.getArray('items').length === 2, 'both items are there')
    await eventually(() => provider.awareness.getStates().size === 2, 'both are seen')
  }
  for (const provider of providers) {
    provider.destroy()
    provider.doc.destroy()
  }
})

function describeArgument(argument: unknown): string {
  if (typeof argument !== 'object' || argument === null) return String(argument)
  if ('status' in argument) return String(argument.status)
  if ('code' in argument) return String(argument.code)
  return 'type' in argument ? String(argument.type) : '?'
}
