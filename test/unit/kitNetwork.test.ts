import { describe, expect, test } from 'vitest'
import { perfectConditions } from '../../client/testing/conditions.ts'
import type { NetworkConditions } from '../../client/testing/conditions.ts'
import { DelayLine } from '../../client/testing/delayLine.ts'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { FakeNetwork } from '../../client/testing/fakeNetwork.ts'
import type { Acceptor, FakeNetworkOptions } from '../../client/testing/fakeNetwork.ts'
import { LinkPair } from '../../client/testing/linkPair.ts'
import type { LinkEnd } from '../../client/testing/linkPair.ts'
import { Random } from '../../client/testing/random.ts'

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values)

/** Writes down what an end hears. */
function heard(end: LinkEnd): string[] {
  const log: string[] = []
  end.listener = {
    onMessage: (message) => void log.push(message.join()),
    onClose: ({ code, reason }) => void log.push(`closed ${code} ${reason}`),
  }
  return log
}

describe('a delay line', () => {
  function line(conditions: Partial<NetworkConditions>, seed = 1) {
    const clock = new FakeClock()
    const all = { ...perfectConditions, ...conditions }
    return { clock, line: new DelayLine({ clock, random: new Random(seed), conditions: () => all }) }
  }

  test('delays by the latency, never within the turn, not even without one', () => {
    for (const latencyMs of [0, 50]) {
      const { clock, line: under } = line({ latencyMs })
      const arrivals: number[] = []
      under.push(1, () => arrivals.push(clock.now()))
      clock.flush()
      expect(arrivals).toEqual([])
      clock.advance(latencyMs)
      expect(arrivals).toEqual([latencyMs])
    }
  })

  test('is as fast as its bandwidth: one after the other, and what has not left is unsent', () => {
    const { clock, line: under } = line({ bytesPerSecond: 1000, latencyMs: 5 })
    const arrivals: number[] = []
    for (let count = 0; count < 3; count += 1) under.push(100, () => arrivals.push(clock.now()))
    expect(under.unsent).toBe(300)
    clock.advance(150)
    expect(under.unsent).toBe(150)
    clock.advance(1000)
    expect(arrivals).toEqual([105, 205, 305])
    expect([under.unsent, under.bytes]).toEqual([0, 0])
  })

  test('keeps its order whatever the jitter; two lines overtake each other', () => {
    const clock = new FakeClock()
    const random = new Random(3)
    const conditions = { ...perfectConditions, jitterMs: 100 }
    const lines = [0, 1].map(() => new DelayLine({ clock, random, conditions: () => conditions }))
    const log: string[] = []
    for (let count = 0; count < 20; count += 1) {
      for (const [index, under] of lines.entries()) under.push(1, () => log.push(`${index}:${count}`))
      clock.advance(20)
    }
    clock.advance(100)
    const ofLine = (index: number) => log.filter((entry) => entry.startsWith(`${index}:`))
    for (const index of [0, 1]) expect(ofLine(index)).toEqual(Array.from({ length: 20 }, (_, at) => `${index}:${at}`))
    const strictlyInTurn = Array.from({ length: 20 }, (_, at) => [`0:${at}`, `1:${at}`]).flat()
    expect(log).not.toEqual(strictlyInTurn)
  })

  test('forgets what is under way when cleared, also from within a delivery', () => {
    const { clock, line: under } = line({})
    const log: number[] = []
    under.push(1, () => {
      log.push(1)
      under.clear()
    })
    under.push(1, () => log.push(2))
    clock.advance(10)
    expect(log).toEqual([1])
    expect(clock.timers).toBe(0)
  })
})

describe('a link pair', () => {
  function pair(conditions: Partial<NetworkConditions> = {}, seed = 1) {
    const clock = new FakeClock()
    const all = { ...perfectConditions, ...conditions }
    const link = new LinkPair({ clock, random: new Random(seed), conditions: () => all })
    const [near, far] = link.ends
    return { clock, link, near, far, nearLog: heard(near), farLog: heard(far) }
  }

  test('carries copies of messages, in order, both ways', () => {
    const { clock, near, far, nearLog, farLog } = pair()
    const message = bytes(1, 2)
    near.send(message)
    message[0] = 9
    near.send(bytes(3))
    far.send(bytes(4))
    clock.advance(0)
    expect(farLog).toEqual(['1,2', '3'])
    expect(nearLog).toEqual(['4'])
  })

  test('closes with a handshake: what was sent before still arrives, what is sent after does not', () => {
    const { clock, link, near, far, nearLog, farLog } = pair({ latencyMs: 10 })
    near.send(bytes(1))
    near.close(4000, 'enough')
    near.send(bytes(2))
    expect(near.state).toBe('closing')
    clock.advance(10)
    expect(farLog).toEqual(['1', 'closed 4000 enough'])
    expect(nearLog).toEqual([])
    clock.advance(10)
    expect(nearLog).toEqual(['closed 4000 enough'])
    expect([near.state, far.state, link.fate]).toEqual(['closed', 'closed', 'gone'])
    link.cut()
    expect(clock.timers, 'nobody is left to be told').toBe(0)
  })

  test('a cut loses what is under way and tells both ends 1006, once', () => {
    const { clock, link, near, nearLog, farLog } = pair({ latencyMs: 10 })
    near.send(bytes(1))
    clock.advance(5)
    link.cut()
    near.send(bytes(2))
    link.cut()
    clock.advance(100)
    expect(farLog).toEqual(['closed 1006 '])
    expect(nearLog).toEqual(['closed 1006 '])
    expect(clock.timers).toBe(0)
  })

  test('a silent link takes everything, tells nobody, and looks like a full buffer', () => {
    const { clock, link, near, far, nearLog, farLog } = pair({ latencyMs: 10 })
    near.send(bytes(1))
    link.goSilent()
    near.send(bytes(2, 3, 4))
    far.close()
    clock.advance(60_000)
    expect([nearLog, farLog]).toEqual([[], []])
    expect(near.bufferedAmount).toBe(3)
    expect([near.state, far.state]).toEqual(['open', 'closing'])
    link.cut()
    clock.advance(10)
    expect([nearLog, farLog]).toEqual([['closed 1006 '], ['closed 1006 ']])
  })

  test('by chance a message takes its link with it, and nothing after it arrives', () => {
    const { clock, near, farLog } = pair({ cutProbability: 0.2 }, 5)
    for (let count = 0; count < 100; count += 1) {
      near.send(bytes(count))
      clock.advance(0)
    }
    const lost = farLog.indexOf('closed 1006 ')
    expect(lost).toBeGreaterThan(0)
    expect(farLog.slice(0, lost)).toEqual(Array.from({ length: lost }, (_, index) => String(index)))
    expect(farLog).toHaveLength(lost + 1)
  })
})

describe('a fake network', () => {
  /** Sends back what it gets, and says hello first when told to. */
  class Echo implements Acceptor {
    readonly ends: LinkEnd[] = []
    greeting: Uint8Array | null = null

    accept(end: LinkEnd): void {
      this.ends.push(end)
      end.listener = { onMessage: (message) => end.send(message), onClose: () => undefined }
      if (this.greeting !== null) end.send(this.greeting)
    }
  }

  function network(options: Partial<FakeNetworkOptions> = {}) {
    const clock = new FakeClock()
    const server = new Echo()
    return { clock, server, network: new FakeNetwork({ clock, server, ...options }) }
  }

  function open(from: FakeNetwork) {
    const log: string[] = []
    const socket = new from.WebSocket('ws://fake/room?token=1', ['one'])
    socket.binaryType = 'arraybuffer'
    // The properties are what providers set; `addEventListener` has a test of its own.
    // oxlint-disable unicorn/prefer-add-event-listener
    socket.onopen = () => void log.push('open')
    socket.onerror = () => void log.push('error')
    socket.onclose = ({ code, wasClean }) => void log.push(`close ${code} ${String(wasClean)}`)
    socket.onmessage = ({ data }) => void log.push(new Uint8Array(data as ArrayBuffer).join())
    // oxlint-enable unicorn/prefer-add-event-listener
    return { socket, log }
  }

  test('opens after a round trip; what the server says at once comes after that', () => {
    const { clock, network: net, server } = network({ conditions: { latencyMs: 20 } })
    server.greeting = bytes(7)
    const { socket, log } = open(net)
    expect(socket.readyState).toBe(socket.CONNECTING)
    clock.advance(39)
    expect(log).toEqual([])
    clock.advance(1)
    expect(log).toEqual(['open', '7'])
    socket.send(bytes(1, 2))
    clock.advance(40)
    expect(log).toEqual(['open', '7', '1,2'])
    expect([net.opened, net.links]).toEqual([1, 1])
    socket.close(4001)
    clock.advance(40)
    expect(log.at(-1)).toBe('close 4001 true')
    expect([socket.readyState, net.links]).toEqual([socket.CLOSED, 0])
  })

  test('listeners hear what properties hear, and sending before it is open is an error', () => {
    const { clock, network: net } = network()
    const { socket } = open(net)
    const log: string[] = []
    for (const type of ['open', 'close']) socket.addEventListener(type, (event) => log.push(event.type))
    expect(() => socket.send(bytes(1))).toThrow('connecting')
    clock.advance(0)
    net.cut()
    clock.advance(0)
    expect(log).toEqual(['open', 'close'])
  })

  test('a refusing network fails attempts; one that is silent never answers them', () => {
    const { clock, network: net } = network({ conditions: { latencyMs: 5 } })
    net.reachability = 'refusing'
    const refused = open(net)
    clock.advance(10)
    expect(refused.log).toEqual(['error', 'close 1006 false'])
    net.reachability = 'silent'
    const unheard = open(net)
    clock.advance(3_600_000)
    expect(unheard.log).toEqual([])
    unheard.socket.close()
    clock.advance(0)
    expect(unheard.log).toEqual(['error', 'close 1006 false'])
    net.reachability = 'up'
    expect(net.opened).toBe(0)
  })

  test('a cut also fails attempts; after goSilent old sockets hear nothing and new ones work', () => {
    const { clock, network: net } = network({ conditions: { latencyMs: 5 } })
    for (const progress of [0, 5, 7]) {
      const attempt = open(net)
      clock.advance(progress)
      net.cut()
      clock.advance(100)
      expect(attempt.log, `cut after ${progress} ms`).toEqual(['error', 'close 1006 false'])
    }
    const dead = open(net)
    clock.advance(10)
    net.goSilent()
    dead.socket.send(bytes(1, 2, 3))
    const alive = open(net)
    clock.advance(10)
    alive.socket.send(bytes(4))
    clock.advance(60_000)
    expect(dead.log).toEqual(['open'])
    expect(dead.socket.bufferedAmount).toBe(3)
    expect(alive.log).toEqual(['open', '4'])
  })

  test('conditions change while it runs, and impossible ones are refused by name', () => {
    const { clock, network: net } = network()
    const { socket, log } = open(net)
    clock.advance(0)
    net.change({ latencyMs: 50 })
    socket.send(bytes(1))
    clock.advance(99)
    expect(log).toEqual(['open'])
    clock.advance(1)
    expect(log).toEqual(['open', '1'])
    for (const wrong of [{ latencyMs: -1 }, { jitterMs: NaN }, { bytesPerSecond: 0 }, { cutProbability: 2 }]) {
      expect(() => net.change(wrong)).toThrow(Object.keys(wrong)[0])
    }
    expect(net.conditions.latencyMs).toBe(50)
  })
})
