import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../client/testing/fakeClock.ts'
import { ClusterShards } from '../../server/engine/redis/clusterShards.ts'
import type { Argument, Connection, Reply } from '../../server/engine/redis/connection.ts'
import { Sentinels } from '../../server/engine/redis/sentinels.ts'
import { Shard } from '../../server/engine/redis/shard.ts'
import { type Address, describeAddress, parseTarget } from '../../server/engine/redis/target.ts'

/** Servers that answer as a test says, and connections to them. */
class Network {
  readonly clock = new FakeClock()
  /** What was asked of whom, as "host:port COMMAND". */
  readonly asked: string[] = []
  readonly opened: string[] = []
  destroyed = 0
  answer: (address: Address, command: string) => Reply = () => 'OK'
  readonly #lost = new Map<Connection, (error: Error) => void>()

  shard(resolve: () => Address): Shard {
    return new Shard({
      clock: this.clock,
      open: async (use, onLost) => {
        const address = resolve()
        this.opened.push(`${use} ${describeAddress(address)}`)
        const connection = this.connection(address)
        this.#lost.set(connection, onLost)
        return connection
      },
      events: { onFeed: () => undefined, onCommands: () => undefined, onStatus: () => undefined },
    })
  }

  connection(address: Address): Connection {
    const send = async (args: readonly Argument[]): Promise<Reply> => {
      const command = args.map(String).join(' ')
      this.asked.push(`${describeAddress(address)} ${command}`)
      return this.answer(address, command)
    }
    return { address, owed: 0, send, destroy: () => void (this.destroyed += 1) } as unknown as Connection
  }

  lose(connection: Connection | null): void {
    if (connection !== null) this.#lost.get(connection)?.(new Error('gone'))
  }
}

const at = (port: number): Address => ({ host: 'h', port })

describe('a shard', () => {
  test('follows its master with both connections: the feed is made again when the commands lead elsewhere', async () => {
    const [network, master] = [new Network(), { port: 1 }]
    const shard = network.shard(() => at(master.port))
    await network.clock.advanceAsync(0)
    expect([shard.isReady, shard.health().state]).toEqual([true, 'ok'])
    master.port = 2
    network.lose(shard.commands)
    expect(shard.health().state).toBe('failing')
    await network.clock.advanceAsync(1_000)
    expect([shard.commands?.address, shard.feed?.address, shard.health().state]).toEqual([at(2), at(2), 'ok'])
    expect(network.opened).toEqual(['commands h:1', 'feed h:1', 'commands h:2', 'feed h:2'])
  })

  test('looks for the master again when a write is answered READONLY', async () => {
    const [network, master] = [new Network(), { port: 1 }]
    const shard = network.shard(() => at(master.port))
    await network.clock.advanceAsync(0)
    master.port = 2
    shard.failed(new Error("READONLY You can't write against a read only replica."), 'probe')
    await network.clock.advanceAsync(100)
    expect(shard.commands?.address).toEqual(at(2))
  })

  test('that refuses writes is failing until a write succeeds, and is tried by itself; a wrong type is no such thing', async () => {
    const network = new Network()
    const shard = network.shard(() => at(1))
    await network.clock.advanceAsync(0)
    shard.failed(new Error('WRONGTYPE Operation against a key holding the wrong kind of value'), 'probe')
    expect(shard.health().state).toBe('ok')
    network.answer = () => {
      throw new Error('OOM command not allowed')
    }
    shard.failed(new Error('OOM command not allowed'), 'probe')
    await network.clock.advanceAsync(3_500)
    expect(shard.health().state).toBe('failing')
    expect(network.asked.filter((asked) => asked.includes('SET probe'))).toHaveLength(3)
    network.answer = () => 'OK'
    await network.clock.advanceAsync(1_000)
    expect(shard.health().state).toBe('ok')
    shard.close()
    expect(network.clock.timers).toBe(0)
  })

  test('that is closed while it connects keeps nothing open', async () => {
    const network = new Network()
    network.shard(() => at(1)).close()
    await network.clock.settle()
    expect([network.opened.length, network.destroyed, network.clock.timers]).toEqual([2, 2, 0])
  })

  test('tries for ever, ever more seldom, and not after it was closed', async () => {
    const network = new Network()
    const shard = network.shard(() => {
      throw new Error('nobody knows')
    })
    await network.clock.advanceAsync(60_000)
    expect(shard.health()).toMatchObject({
      state: 'failing',
      error: { message: 'Connecting to Redis failed: nobody knows' },
    })
    shard.close()
    await network.clock.settle()
    expect(network.clock.timers).toBe(0)
  })
})

describe('the shards of a cluster', () => {
  /** Two masters that share the slots at `border`. */
  async function cluster() {
    const network = new Network()
    const state = { border: 8_000, moved: 0 }
    network.answer = (_address, command) => {
      if (command !== 'CLUSTER SLOTS') return 'OK'
      const second = [state.border, 16_383, ['h', 2]]
      return state.border === 0 ? [second] : [[0, state.border - 1, ['h', 1]], second]
    }
    const shards = new ClusterShards({
      clock: network.clock,
      seeds: [at(9)],
      createShard: (address) => network.shard(() => address),
      ask: async (address) => network.connection(address).send(['CLUSTER', 'SLOTS']),
      onMoved: () => (state.moved += 1),
      onLookFailed: () => undefined,
    })
    await network.clock.advanceAsync(10)
    return { network, shards, state }
  }

  test('are found by asking a seed', async () => {
    const { network, shards, state } = await cluster()
    expect(network.asked).toEqual(['h:9 CLUSTER SLOTS'])
    expect([shards.of(0), shards.of(7_999), shards.of(8_000)].map((shard) => shard?.commands?.address.port)).toEqual([
      1, 1, 2,
    ])
    expect(state.moved).toBe(1)
  })

  test('MOVED: the command is sent where it belongs, and the map is read again, soon', async () => {
    const { network, shards, state } = await cluster()
    state.border = 100
    network.answer = ((before) => (address: Address, command: string) => {
      if (command === 'GET a' && address.port === 1) throw new Error('MOVED 5000 h:2')
      return before(address, command)
    })(network.answer)
    expect(await shards.send(5_000, ['GET', 'a'])).toBe('OK')
    expect(network.asked.slice(1)).toEqual(['h:1 GET a', 'h:2 GET a'])
    await network.clock.advanceAsync(1_000)
    expect([shards.of(5_000)?.commands?.address.port, state.moved]).toEqual([2, 2])
  })

  test('ASK: permission and command go together, and the map stays', async () => {
    const { network, shards, state } = await cluster()
    network.answer = (address, command) => {
      if (command === 'GET a' && address.port === 1) throw new Error('ASK 5000 h:2')
      return 'OK'
    }
    expect(await shards.send(5_000, ['GET', 'a'])).toBe('OK')
    expect(network.asked.slice(1)).toEqual(['h:1 GET a', 'h:2 ASKING', 'h:2 GET a'])
    expect(state.moved).toBe(1)
  })

  test('ASK to a master that serves no slot yet: it is connected to, and is found by who asks again', async () => {
    const { network, shards, state } = await cluster()
    const map = network.answer
    network.answer = (address, command) => {
      if (command === 'GET a' && address.port !== 3) throw new Error('ASK 5000 h:3')
      return map(address, command)
    }
    await expect(shards.send(5_000, ['GET', 'a'])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await network.clock.advanceAsync(10)
    expect(await shards.send(5_000, ['GET', 'a'])).toBe('OK')
    expect(network.asked.slice(-3)).toEqual(['h:1 GET a', 'h:3 ASKING', 'h:3 GET a'])
    // As long as it is asked, the looks, which do not show it, leave it; when they do, its connections stay.
    for (let look = 0; look < 5; look++) {
      await network.clock.advanceAsync(40_000)
      expect(await shards.send(5_000, ['GET', 'a'])).toBe('OK')
    }
    network.answer = (_address, command) => (command === 'CLUSTER SLOTS' ? [[0, 16_383, ['h', 3]]] : 'OK')
    await network.clock.advanceAsync(40_000)
    expect([shards.all.map(({ commands }) => commands?.address.port), state.moved]).toEqual([[3], 2])
    expect(network.opened.filter((opened) => opened.endsWith('h:3'))).toEqual(['commands h:3', 'feed h:3'])
    shards.close()
    expect(network.clock.timers).toBe(0)
  })

  test('redirections to more and more places lead to few connections, which are given up', async () => {
    const { network, shards } = await cluster()
    const map = network.answer
    let port = 100
    network.answer = (address, command) => {
      if (command === 'GET a') throw new Error(`ASK 5000 h:${String((port += 1))}`)
      return map(address, command)
    }
    const opened = network.opened.length
    for (let time = 0; time < 100; time++) await shards.send(5_000, ['GET', 'a']).catch(() => undefined)
    await network.clock.advanceAsync(10)
    expect([network.opened.length - opened, network.destroyed]).toEqual([32, 0])
    await network.clock.advanceAsync(100_000)
    expect([network.opened.length - opened, network.destroyed]).toEqual([32, 32])
    shards.close()
    expect(network.clock.timers).toBe(0)
  })

  test('a master that is gone fails a part of the documents, not all; one that has no slots any more is left', async () => {
    const { network, shards, state } = await cluster()
    const [first] = shards.all
    network.lose(first?.commands ?? null)
    expect([first?.health().state, shards.health().state]).toEqual(['failing', 'ok'])
    await expect(shards.send(1, ['GET', 'a'])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    state.border = 0
    shards.lookSoon()
    await network.clock.advanceAsync(2_000)
    expect(shards.all.map(({ commands }) => commands?.address.port)).toEqual([2])
    expect(await shards.send(1, ['GET', 'a'])).toBe('OK')
    shards.close()
    expect(network.clock.timers).toBe(0)
  })
})

test('sentinels are asked in turn, with the login only if they want one; who answered is asked first', async () => {
  const asked: string[] = []
  const target = parseTarget('redis+sentinel://:pw@a,b,c/main')
  const sentinels = new Sentinels(target, async ({ host }, args, anonymous) => {
    asked.push(`${host} ${anonymous ? 'anonymous' : 'login'}`)
    expect(args).toEqual(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main'])
    if (host === 'a') throw new Error('connect ECONNREFUSED')
    if (anonymous) throw new Error('NOAUTH Authentication required.')
    return [Buffer.from('10.0.0.1'), Buffer.from('6379')]
  })
  expect(await sentinels.masterAddress()).toEqual({ host: '10.0.0.1', port: 6379 })
  await sentinels.masterAddress()
  expect(asked).toEqual(['a anonymous', 'b anonymous', 'b login', 'b anonymous', 'b login'])
})
