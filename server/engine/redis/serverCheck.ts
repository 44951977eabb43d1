import { StorageError, toError } from '../../../shared/errors.ts'
import type { Durability } from '../engine.ts'
import type { Connection, Reply } from './connection.ts'
import { replyCode } from './errors.ts'
import type { KeySpace } from './keys.ts'
import { rightsScript } from './scripts.ts'
import { type Address, describeAddress, type Target } from './target.ts'

/** What a server says of itself, as far as documents depend on it. */
export interface ServerFacts {
  readonly durability: Durability
  /** Another one after every start of the server. */
  readonly run: string
  /** What the operator should change, one sentence each. */
  readonly warnings: readonly string[]
}

/** Sharded channels came with Redis 7.0; Valkey began after it. */
const OLDEST_MAJOR = 7
/** Bytes that Redis keeps for a subscriber that does not read, before it drops it; its own default. */
const SMALLEST_BUFFER = 32 * 1024 * 1024

/**
 * Throws STORAGE_FOREIGN for a server that cannot do what is needed, and STORAGE_UNAVAILABLE for one that cannot do it now
 * (a replica, or still reading its data).
 */
export async function checkServer(connection: Connection, mode: Target['mode']): Promise<ServerFacts> {
  const [info, config] = await Promise.all([readInfo(connection), readConfig(connection)])
  const place = describeAddress(connection.address)
  requireKind(info, mode, connection.address)
  if (info.get('role') !== undefined && info.get('role') !== 'master') {
    throw new StorageError('STORAGE_UNAVAILABLE', `${place} is a replica: it takes no writes.`)
  }
  if (info.get('loading') === '1') {
    throw new StorageError('STORAGE_UNAVAILABLE', `${place} is still reading its data.`)
  }
  const durability = durabilityOf(info, config, mode)
  const warnings = [
    ...durabilityWarnings(durability, config),
    ...(mode === 'standalone' ? [] : replicaWarnings(config)),
    ...memoryWarnings(info),
    ...bufferWarnings(config),
  ]
  return {
    durability,
    run: info.get('run_id') ?? '',
    warnings: warnings.map((warning) => `Redis at ${place}: ${warning}`),
  }
}

/** Answers of a cluster to a question about a slot that is another server's: rights have been looked at before. */
const elsewhere = new Set(['MOVED', 'ASK', 'CLUSTERDOWN', 'TRYAGAIN'])

/**
 * Throws when this user may not do what documents need. Redis grants no channels to users unless told to, and a script that
 * may write, but not publish, has written when it fails.
 */
export async function checkRights(connection: Connection, keySpace: KeySpace): Promise<void> {
  const { log, meta, channel } = keySpace.of('')
  const args = ['EVALSHA', rightsScript.hash, '2', log, meta, channel, keySpace.names]
  const forbidden = await connection.send(args).catch((thrown: unknown) => {
    if (elsewhere.has(replyCode(toError(thrown)))) return ''
    throw thrown
  })
  if (text(forbidden) === '') return
  const [keys, channels] = [`~${keySpace.prefix}*`, `&${keySpace.prefix}*`]
  const cause = new Error(
    `NOPERM this user may not use ${text(forbidden)} there; grant it ${keys} ${channels} +@all (ACL SETUSER).`,
  )
  throw new StorageError('STORAGE_UNAVAILABLE', cause.message, cause)
}

type Settings = ReadonlyMap<string, string>

async function readInfo(connection: Connection): Promise<Settings> {
  const reply = await connection.send(['INFO'])
  const lines = text(reply).split('\r\n')
  return new Map(lines.filter((line) => line.includes(':')).map(splitAtColon))
}

/** Null where CONFIG is forbidden, as it is on many managed servers. */
async function readConfig(connection: Connection): Promise<Settings | null> {
  const parameters = ['appendonly', 'appendfsync', 'client-output-buffer-limit', 'min-replicas-to-write']
  try {
    return pairs(await connection.send(['CONFIG', 'GET', ...parameters]))
  } catch (thrown) {
    const error = toError(thrown)
    if (replyCode(error) === '') throw error
    return null
  }
}

function requireKind(info: Settings, mode: Target['mode'], address: Address): void {
  const place = describeAddress(address)
  const version = info.get('redis_version') ?? '0'
  if (!info.has('valkey_version') && Number.parseInt(version, 10) < OLDEST_MAJOR) {
    const why = 'Redis 7.0 or newer is needed, or Valkey (sharded channels).'
    throw new StorageError('STORAGE_FOREIGN', `${place} is Redis ${version}: ${why}`)
  }
  const isCluster = info.get('redis_mode') === 'cluster'
  if (isCluster && mode !== 'cluster') {
    throw new StorageError('STORAGE_FOREIGN', `${place} is part of a Redis Cluster: write redis+cluster://… instead.`)
  }
  if (!isCluster && mode === 'cluster') throw notACluster(address)
}

export function notACluster(address: Address): StorageError {
  const advice = 'write redis://… instead'
  return new StorageError('STORAGE_FOREIGN', `${describeAddress(address)} is not part of a Redis Cluster: ${advice}.`)
}

/** What cannot be known is not claimed: without CONFIG, an append-only file is taken for Redis' default, everysec. */
function durabilityOf(info: Settings, config: Settings | null, mode: Target['mode']): Durability {
  const appendOnly = config === null ? info.get('aof_enabled') === '1' : config.get('appendonly') === 'yes'
  if (!appendOnly) return 'memory'
  switch (config?.get('appendfsync')) {
    case 'always':
      // Whoever may take over has what was acknowledged a moment later, and not on the disk that was waited for.
      return mode === 'standalone' ? 'fsync' : 'everysec'
    case 'no':
      return 'os'
    case undefined:
    default:
      return 'everysec'
  }
}

function durabilityWarnings(durability: Durability, config: Settings | null): string[] {
  const warnings: string[] = []
  if (durability === 'memory') {
    warnings.push('it has no append-only file, so what is "saved" is gone when it stops; set appendonly yes.')
  }
  if (durability === 'os') {
    warnings.push('appendfsync is no, so a power cut loses the last seconds; set appendfsync everysec or always.')
  }
  if (config === null) warnings.push(`CONFIG is forbidden; durability is taken to be ${durability}, not checked.`)
  return warnings
}

function replicaWarnings(config: Settings | null): string[] {
  if (config?.get('min-replicas-to-write') !== '0') return []
  const advice = 'set min-replicas-to-write to 1'
  return [`it takes writes that no replica has, and a failover would lose them; ${advice}.`]
}

function memoryWarnings(info: Settings): string[] {
  const policy = info.get('maxmemory_policy') ?? 'noeviction'
  if (policy === 'noeviction') return []
  return [`maxmemory-policy is ${policy}, so it may throw documents away when memory is short; set it to noeviction.`]
}

/** As in "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60": hard limit first; 0 is none. */
function bufferWarnings(config: Settings | null): string[] {
  const hard = Number(/\bpubsub (\d+)/.exec(config?.get('client-output-buffer-limit') ?? '')?.[1] ?? 0)
  if (hard === 0 || hard >= SMALLEST_BUFFER) return []
  const advice = `set client-output-buffer-limit pubsub to ${String(SMALLEST_BUFFER)} or more`
  return [`its buffer for subscribers (${String(hard)} bytes) is smaller than updates may be; ${advice}.`]
}

function pairs(reply: Reply): Settings {
  // RESP3 has maps, which the client gives as objects; RESP2 lists of names and values.
  if (Array.isArray(reply)) {
    const texts = (reply as readonly Reply[]).map(text)
    return new Map(texts.flatMap((name, index) => (index % 2 === 0 ? [[name, texts[index + 1] ?? ''] as const] : [])))
  }
  return new Map(Object.entries(reply ?? {}).map(([name, value]) => [name, text(value as Reply)]))
}

function splitAtColon(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1)]
}

function text(reply: Reply): string {
  return Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply)
}
