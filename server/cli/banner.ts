import { resolve } from 'node:path'
import type { Durability } from '../engine/engine.ts'
import { describeUrl } from '../engine/archive/describeUrl.ts'
import { describeTarget, parseTarget } from '../engine/redis/target.ts'
import type { Options } from '../options/table.ts'

export interface Listening {
  readonly url: string
  readonly host: string
  readonly port: number
  /** What "saved" means with the storage that was opened. */
  readonly durability: Durability
}

export interface Announcement {
  readonly version: string
  readonly options: Options
  readonly listening: Listening
}

/** What a person at a terminal needs to know after the start; ends with an empty line. */
export function banner({ version, options, listening }: Announcement): string {
  const page = options.demo ? 'two windows on this page edit together' : 'the demo page is off'
  return [
    `Scriptorium ${version}`,
    '',
    `  Open       ${listening.url} (${page})`,
    `  Editors    ${listening.url.replace(/^http/, 'ws')} (y-websocket and Hocuspocus providers)`,
    `  Documents  ${storagePlace(options)} (${storageWords[listening.durability]})`,
    ...(options.workers === 1 ? [] : [`  Workers    ${options.workers} processes serve clients`]),
    `  Access     ${accessText(options.host)}`,
    '',
    ...warnings(options, listening).map((warning) => `  WARNING    ${warning}\n`),
  ].join('\n')
}

/** What the operator must know even when nobody watches the start: these go to the log as well. */
export function warnings(options: Options, listening: Listening): readonly string[] {
  const exposed =
    `authentication is off and ${options.host} is not a loopback address: everyone who reaches port ` +
    `${String(listening.port)} can read and change every document. Put it behind a proxy that authenticates.`
  const forgetful = 'durability is memory: nothing is kept, every document is gone when this process ends.'
  const forgets = options.redis === '' && listening.durability === 'memory'
  return [...(isLoopback(options.host) ? [] : [exposed]), ...(forgets ? [forgetful] : [])]
}

/** True when only programs on this machine can connect to the address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/i.test(host)
}

const storageWords: Record<Durability, string> = {
  fsync: 'fsync: what anyone has seen survives a power cut',
  everysec:
    'everysec: what anyone has seen survives a crash of this process; one of Redis, or a power cut, takes up to two seconds',
  os: 'os: what anyone has seen survives a crash of this process, but not a power cut',
  memory: 'memory: nothing is kept',
}

/** Where documents are, for people: never with a password. */
export function storagePlace({ redis, redisPrefix, archive, durability, dataDir }: Options): string {
  if (redis !== '') {
    const archived = archive === '' ? '' : `, and those nobody uses in ${describeUrl(archive)}`
    return `${describeTarget(parseTarget(redis))}, keys ${redisPrefix}*${archived}`
  }
  return durability === 'memory' ? 'in memory' : resolve(dataDir)
}

function accessText(host: string): string {
  if (isLoopback(host))
    return `Authentication is off, so only this machine can connect (${host} is a loopback address).`
  return 'Authentication is off.'
}
