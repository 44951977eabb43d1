import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { SocketProxy } from '../../client/testing/node/socketProxy.ts'
import type { SocketProxyOptions } from '../../client/testing/node/socketProxy.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { eventually } from '../support/eventually.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** One end of a TCP connection, and what it has seen. */
class Peer {
  readonly socket: Socket
  readonly chunks: Buffer[] = []
  /** `end`: the other side has said goodbye; `reset`: the connection broke. */
  fate: 'open' | 'end' | 'reset' = 'open'

  constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.chunks.push(chunk))
    socket.on('end', () => (this.fate = 'end'))
    socket.on('error', () => (this.fate = 'reset'))
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }
}

/** A TCP server behind a proxy; `join` makes one connection through it. */
async function start(options: SocketProxyOptions = {}) {
  const accepted: Peer[] = []
  const server = createServer((socket) => accepted.push(new Peer(socket))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await SocketProxy.start((server.address() as AddressInfo).port, options)
  cleanups.push(async () => {
    await proxy.close()
    for (const { socket } of accepted) socket.destroy()
    server.close()
  })
  const join = async () => {
    const before = accepted.length
    const client = new Peer(connect(proxy.port, '127.0.0.1'))
    cleanups.push(() => client.socket.destroy())
    await eventually(() => accepted.length > before, 'the server is reached')
    return { client, upstream: accepted[before] as Peer }
  }
  return { proxy, join }
}

describe('a socket proxy', () => {
  test('hands on everything both ways, in order, and the end of it', async () => {
    const { proxy, join } = await start()
    const { client, upstream } = await join()
    const large = 'x'.repeat(5_000_000)
    client.socket.write(large)
    client.socket.end('the end')
    upstream.socket.write('down')
    await eventually(() => client.text === 'down', 'down arrives')
    await eventually(() => upstream.fate === 'end', 'the end arrives')
    expect(upstream.text === `${large}the end`).toBe(true)
    upstream.socket.end()
    await eventually(() => proxy.connections === 0, 'nothing is left of it')
    expect(proxy.accepted).toBe(1)
  })

  test('splits what passes into pieces', async () => {
    const clock = new FakeClock()
    const { join } = await start({ clock, conditions: { bytesPerSecond: 1000, pieceBytes: 1 } })
    const { client, upstream } = await join()
    client.socket.write('byte by byte')
    await eventually(() => clock.timers > 0, 'the proxy has it')
    for (const part of ['b', 'by', 'byt', 'byte']) {
      clock.advance(1)
      await eventually(() => upstream.text.length >= part.length, 'one more byte arrives')
      expect(upstream.text).toBe(part)
    }
  })

  test('delays and throttles by its clock', async () => {
    const clock = new FakeClock()
    const { join } = await start({ clock, conditions: { latencyMs: 100, bytesPerSecond: 1000, pieceBytes: 50 } })
    const { client, upstream } = await join()
    const sent = clock.now()
    client.socket.write('a'.repeat(200))
    await eventually(() => clock.timers > 0, 'the proxy has it')
    const arrivals: number[] = []
    for (let step = 0; step < 5; step += 1) {
      clock.advance(step === 0 ? 100 : 50)
      await eventually(() => upstream.text.length >= 50 * step, 'what is due arrives')
      arrivals.push(upstream.text.length)
    }
    expect(sent).toBe(0)
    expect(arrivals).toEqual([0, 50, 100, 150, 200])
  })

  test('a slow receiver is not read for beyond a bound', async () => {
    const { join } = await start()
    const { client, upstream } = await join()
    upstream.socket.pause()
    const megabytes = Buffer.alloc(64 * 1024 * 1024)
    client.socket.write(megabytes)
    const other = await join()
    other.client.socket.write(megabytes)
    other.upstream.socket.on('data', () => (other.upstream.chunks.length = 0))
    other.client.socket.end()
    await eventually(() => other.upstream.fate === 'end', 'as much has passed on another connection')
    // The kernel's buffers hold a few megabytes, the proxy one; the rest is still where it came from.
    expect(client.socket.writableLength).toBeGreaterThan(0)
    upstream.socket.on('data', () => (upstream.chunks.length = 0))
    upstream.socket.resume()
    await eventually(() => client.socket.writableLength === 0, 'all of it is taken once somebody reads')
  })

  test('half-open: nothing arrives and nobody is told, new connections work', async () => {
    const { proxy, join } = await start()
    const old = await join()
    proxy.goSilent()
    old.client.socket.write('lost')
    old.upstream.socket.end('lost too')
    const next = await join()
    next.client.socket.write('heard')
    await eventually(() => next.upstream.text === 'heard', 'a new connection works')
    expect([old.client.text, old.upstream.text]).toEqual(['', ''])
    expect([old.client.fate, old.upstream.fate]).toEqual(['open', 'open'])
    old.client.socket.destroy()
    next.client.socket.write('!')
    await eventually(() => next.upstream.text === 'heard!', 'it still works')
    expect(old.upstream.fate, 'even the end of one side stays unknown').toBe('open')
  })

  test('half-open in one direction only', async () => {
    const { proxy, join } = await start()
    const { client, upstream } = await join()
    proxy.goSilent('up')
    client.socket.write('lost')
    upstream.socket.write('heard')
    await eventually(() => client.text === 'heard', 'the way down works')
    expect(upstream.text).toBe('')
  })

  test('a cut resets both sides and loses what is under way; refusing resets whoever comes', async () => {
    const { proxy, join } = await start({ conditions: { latencyMs: 60_000 } })
    const { client, upstream } = await join()
    client.socket.write('never seen')
    await eventually(() => client.socket.bytesWritten > 0, 'it is sent')
    proxy.cut()
    await eventually(() => client.fate === 'reset' && upstream.fate !== 'open', 'both sides are told')
    expect(upstream.text).toBe('')
    await eventually(() => proxy.connections === 0, 'nothing is left of it')
    proxy.isAccepting = false
    const refused = new Peer(connect(proxy.port, '127.0.0.1'))
    await eventually(() => refused.fate === 'reset', 'who comes is refused')
  })

  test('loses connections by chance, by its seed', async () => {
    const { proxy, join } = await start({ seed: 4, conditions: { cutProbability: 0.01, pieceBytes: 1 } })
    const { client, upstream } = await join()
    client.socket.write('x'.repeat(10_000))
    await eventually(() => client.fate === 'reset', 'it is lost')
    expect(upstream.text.length).toBeLessThan(10_000)
    proxy.change({ cutProbability: 0 })
    const next = await join()
    next.client.socket.write('safe')
    await eventually(() => next.upstream.text === 'safe', 'none is lost any more')
  })

  test('impossible conditions are refused by name', async () => {
    const { proxy } = await start()
    expect(() => proxy.change({ pieceBytes: 0 })).toThrow('pieceBytes')
    expect(() => proxy.change({ latencyMs: -1 })).toThrow('latencyMs')
    await expect(SocketProxy.start(1, { conditions: { bytesPerSecond: 0 } })).rejects.toThrow('bytesPerSecond')
  })
})
