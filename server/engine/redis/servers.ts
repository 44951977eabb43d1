import { StorageError, toError } from '../../../shared/errors.ts'
import type { Clock } from '../../clock.ts'
import type { Durability, EngineHealth } from '../engine.ts'
import { loadClient } from './clientModule.ts'
import { ClusterShards } from './clusterShards.ts'
import { Connection, type RedisModule } from './connection.ts'
import { asStorageError, replyCode } from './errors.ts'
import type { KeySpace } from './keys.ts'
import { scripts } from './scripts.ts'
import { MasterWatch, Sentinels } from './sentinels.ts'
import { checkRights, checkServer, notACluster } from './serverCheck.ts'
import { Shard } from './shard.ts'
import { OneShard, type Shards } from './shards.ts'
import { type Address, describeTarget, type Target } from './target.ts'

export interface ServersOptions {
  readonly target: Target
  readonly keySpace: KeySpace
  readonly clock: Clock
  readonly timeoutMs: number
  readonly onHealth: (health: EngineHealth) => void
  readonly onWarning: (warning: string) => void
  /** There are connections for channels on which nothing is listened to yet, or slots have moved. */
  readonly onFeed: () => void
  /** A connection for commands is new: what was known of that server may not be true any more. */
  readonly onCommands: (shard: Shard) => void
}

/** Weakest first. */
const durabilities: readonly Durability[] = ['memory', 'os', 'everysec', 'fsync']
/** Answers that no waiting changes: to a login, and to somebody who may not do what is needed. */
const hopeless = new Set(['WRONGPASS', 'NOAUTH', 'NOPERM'])

/** Opens, checks and watches the servers behind one URL. */
export class Servers {
  readonly #options: ServersOptions
  readonly #warned = new Set<string>()
  #shards: Shards | null = null
  #failing = false
  #lastFailure: Error = new Error('it does not answer')
  #opening: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null

  constructor(options: ServersOptions) {
    this.#options = options
  }

  /** The weakest of all servers. */
  get durability(): Durability {
    const known = new Set(this.#shards?.all.map((shard) => shard.durability))
    return durabilities.find((durability) => known.has(durability)) ?? 'memory'
  }

  /**
   * Resolves when documents can be stored and followed. A cluster of which only a part can be reached when `patienceMs`
   * have passed will do.
   */
  async open(patienceMs: number): Promise<Shards> {
    const { target, clock } = this.#options
    const redis = await loadClient()
    const opened = new Promise<void>((resolve, reject) => (this.#opening = { resolve, reject }))
    const cancel = clock.after(patienceMs, () => this.#runOut())
    // Timers of the clock do not keep a process alive, and at this moment there may be nothing else that does.
    const keepAlive = setInterval(() => undefined, patienceMs)
    const shards = this.#connect(redis)
    this.#shards = shards
    try {
      await opened
      return shards
    } catch (error) {
      shards.close()
      throw openingError(target, error)
    } finally {
      this.#opening = null
      cancel()
      clearInterval(keepAlive)
    }
  }

  health(): EngineHealth {
    return this.#shards?.health() ?? { state: 'ok' }
  }

  /** Waits for what was asked; a server that does not answer is given up by its connection. */
  async close(): Promise<void> {
    const shards = this.#shards
    if (shards === null) return
    const connections = shards.all.flatMap(({ commands, feed }) => [commands, feed])
    await Promise.all(connections.filter((connection) => connection !== null).map((each) => each.drained()))
    shards.close()
  }

  #connect(redis: RedisModule): Shards {
    const { target } = this.#options
    if (target.mode === 'cluster') return this.#cluster(redis)
    if (target.mode === 'sentinel') return this.#behindSentinels(redis)
    const [address] = target.addresses
    if (address === undefined) throw new TypeError('a target has an address')
    return new OneShard(this.#shard(redis, () => Promise.resolve(address)))
  }

  #behindSentinels(redis: RedisModule): Shards {
    const { target, clock } = this.#options
    const sentinels = new Sentinels(target, (address, args, anonymous) => {
      const login = anonymous ? { username: '', password: '' } : {}
      return this.#ask(redis, { ...target, ...login, database: 0 }, { address, args })
    })
    const shard = this.#shard(redis, () => sentinels.masterAddress())
    const watch = new MasterWatch(clock, sentinels, shard)
    return new OneShard(shard, () => watch.close())
  }

  #cluster(redis: RedisModule): Shards {
    const { target, clock, onFeed } = this.#options
    return new ClusterShards({
      clock,
      seeds: target.addresses,
      createShard: (address) => this.#shard(redis, () => Promise.resolve(address)),
      ask: (address) => this.#ask(redis, target, { address, args: ['CLUSTER', 'SLOTS'] }).catch(tellCluster(address)),
      onMoved: onFeed,
      onLookFailed: (error) => this.#failed(asStorageError('Asking the cluster', error)),
    })
  }

  #shard(redis: RedisModule, resolve: () => Promise<Address>): Shard {
    const { target, clock, timeoutMs, onFeed, onCommands } = this.#options
    const shard: Shard = new Shard({
      clock,
      open: async (use, onLost) => {
        const address = await resolve()
        const onMoved = (): void => this.#lookSoon()
        const connection = await Connection.open({ redis, target, address, clock, timeoutMs, onLost, onMoved })
        if (use === 'commands') await this.#prepare(connection, shard)
        return connection
      },
      events: {
        onFeed: () => {
          onFeed()
          this.#changed(shard)
        },
        onCommands: () => {
          onCommands(shard)
          this.#changed(shard)
        },
        onStatus: () => this.#changed(shard),
      },
    })
    return shard
  }

  async #prepare(connection: Connection, shard: Shard): Promise<void> {
    try {
      const { target, keySpace } = this.#options
      const { durability, run, warnings } = await checkServer(connection, target.mode)
      await Promise.all(scripts.map(({ source }) => connection.send(['SCRIPT', 'LOAD', source])))
      await checkRights(connection, keySpace)
      for (const warning of warnings) this.#warn(warning)
      shard.durability = durability
      shard.leadsTo(run)
    } catch (error) {
      connection.destroy()
      throw error
    }
  }

  async #ask(redis: RedisModule, target: Target, { address, args }: { address: Address; args: readonly string[] }) {
    const { clock, timeoutMs } = this.#options
    const connection = await Connection.open({ redis, target, address, clock, timeoutMs, onLost: () => undefined })
    try {
      return await connection.send(args)
    } finally {
      connection.destroy()
    }
  }

  #warn(warning: string): void {
    if (this.#warned.has(warning)) return
    this.#warned.add(warning)
    this.#options.onWarning(warning)
  }

  #changed(shard: Shard): void {
    const health = shard.health()
    if (health.state === 'failing') this.#failed(health.error)
    const all = this.#shards?.all ?? []
    if (all.length > 0 && all.every(({ isReady }) => isReady)) this.#opening?.resolve()
    this.#tell()
  }

  #failed(error: StorageError): void {
    this.#lastFailure = error
    if (isHopeless(error)) this.#opening?.reject(error)
    this.#lookSoon()
  }

  #lookSoon(): void {
    if (this.#shards instanceof ClusterShards) this.#shards.lookSoon()
  }

  /** Whoever opens is told by the promise. */
  #tell(): void {
    const health = this.health()
    const failing = health.state === 'failing'
    if (this.#opening !== null || failing === this.#failing) return
    this.#failing = failing
    this.#options.onHealth(health)
  }

  #runOut(): void {
    const some = this.#shards?.all.some(({ isReady }) => isReady) === true
    if (some) this.#opening?.resolve()
    else this.#opening?.reject(this.#lastFailure)
  }
}

function isHopeless(error: StorageError): boolean {
  if (error.code === 'STORAGE_FOREIGN') return true
  return error.cause instanceof Error && hopeless.has(replyCode(error.cause))
}

/** The first words of what went wrong, with the place in front, as the operator wrote it. */
function openingError(target: Target, thrown: unknown): StorageError {
  const error = toError(thrown)
  const cause = error.cause instanceof Error ? error.cause : error
  // What the library says there is about the commands of a login, at length.
  const advice = 'NOAUTH it wants a password; write redis://:password@host:port'
  const why = replyCode(cause) === 'NOAUTH' ? advice : cause.message.replace(/\.$/, '')
  const code = error instanceof StorageError ? error.code : 'STORAGE_UNAVAILABLE'
  return new StorageError(code, `Opening ${describeTarget(target)} failed: ${why}.`, error)
}

function tellCluster(address: Address): (error: unknown) => never {
  return (thrown) => {
    const error = toError(thrown)
    throw error.message.includes('cluster support disabled') ? notACluster(address) : error
  }
}
