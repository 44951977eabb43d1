import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { RespFrames } from './respFrames.ts'

/** One TCP connection through the proxy, as its two halves. */
interface Pair {
  readonly client: Socket
  readonly upstream: Socket
}

/** What a message on a sharded channel looks like in RESP3, up to the channel. */
const SHARDED_MESSAGE = Buffer.from('>3\r\n$8\r\nsmessage\r\n')

/**
 * A network between nodes and one Redis server on this machine, which loses what nobody is told of: messages on channels,
 * one by one. It understands just enough of the protocol to leave everything else whole.
 */
export class RedisProxy {
  /** Share of messages on sharded channels that never arrive, 0 to 1; may be changed at any time. */
  lostShare = 0
  /** What a connection carries from the server in a second, as long as there is more. */
  bytesPerSecond = Infinity
  /** Messages that arrived, and that did not. */
  readonly counts = { passed: 0, lost: 0 }
  readonly #server: Server
  readonly #target: number
  readonly #pairs = new Set<Pair>()
  readonly #random: () => number

  private constructor(server: Server, target: number, random: () => number) {
    this.#server = server
    this.#target = target
    this.#random = random
    server.on('connection', (client) => this.#open(client))
  }

  /**
   * @param target a port of this machine
   * @param random decides what is lost; default: anything
   */
  static async start(target: number, random: () => number = Math.random): Promise<RedisProxy> {
    const server = createServer()
    const proxy = new RedisProxy(server, target, random)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  get url(): string {
    return `redis://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`
  }

  /** Ends all connections that exist now; new ones work. */
  cut(): void {
    for (const { client, upstream } of this.#pairs) {
      client.destroy()
      upstream.destroy()
    }
    this.#pairs.clear()
  }

  dispose(): void {
    this.#server.close()
    this.cut()
  }

  #open(client: Socket): void {
    const upstream = connect({ port: this.#target, host: '127.0.0.1' })
    const pair = { client, upstream }
    this.#pairs.add(pair)
    const frames = new RespFrames()
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => {
      for (const frame of frames.split(chunk)) if (this.#passes(frame)) client.write(frame)
      if (this.bytesPerSecond === Infinity) return
      upstream.pause()
      setTimeout(() => upstream.resume(), (chunk.length / this.bytesPerSecond) * 1000)
    })
    const end = (): void => {
      this.#pairs.delete(pair)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined) // 'close' follows
      socket.on('close', end)
    }
  }

  #passes(frame: Buffer): boolean {
    if (!frame.subarray(0, SHARDED_MESSAGE.length).equals(SHARDED_MESSAGE)) return true
    const lost = this.#random() < this.lostShare
    this.counts[lost ? 'lost' : 'passed'] += 1
    return !lost
  }
}
