import { defaultLimits } from '../../shared/limits.ts'
import type { Kind } from './kinds.ts'
import {
  archiveUrl,
  choice,
  directory,
  hostName,
  keyPrefix,
  onOff,
  processCount,
  redisUrl,
  wholeNumber,
} from './kinds.ts'

/** Everything there is to know about one option; flags, environment, help, README and validation derive from it. */
export interface OptionSpec<Value = unknown> {
  readonly kind: Kind<Value>
  /** As commander wants it; an argument in brackets is positional, `--no-x` switches `x` off. */
  readonly flag: string
  readonly short?: string
  /** Environment variables, our own first; the others are what people already have set. The first that is set wins. */
  readonly env: readonly [string, ...string[]]
  /** Unit of the value, where it has one. */
  readonly unit?: string
  readonly default: NoInfer<Value>
  readonly help: string
}

/** Lets the kind alone decide the type of the value; the default must fit it. */
function option<Value>(spec: OptionSpec<Value>): OptionSpec<Value> {
  return spec
}

/** The one table of options. A flag wins over the environment, the environment over the default. */
export const optionTable = {
  port: option({
    kind: wholeNumber(0, 65_535),
    flag: '--port <number>',
    short: '-p',
    env: ['SCRIPTORIUM_PORT', 'PORT'],
    default: 1234,
    help: 'TCP port to listen on; 0 takes any free one',
  }),
  host: option({
    kind: hostName,
    flag: '--host <address>',
    env: ['SCRIPTORIUM_HOST', 'HOST'],
    default: '127.0.0.1',
    help: 'Address to listen on; 0.0.0.0 is every IPv4 address, :: every address (there is no authentication yet)',
  }),
  dataDir: option({
    kind: directory,
    flag: '[dir]',
    env: ['SCRIPTORIUM_DATA_DIR', 'YPERSISTENCE'],
    default: './data',
    help: 'Directory that holds the documents; created when it does not exist',
  }),
  durability: option({
    kind: choice(['fsync', 'os', 'memory']),
    flag: '--durability <level>',
    env: ['SCRIPTORIUM_DURABILITY'],
    default: 'fsync',
    help: 'What "saved" means. fsync: on the disk, os: handed to the operating system, memory: nothing is kept',
  }),
  redis: option({
    kind: redisUrl,
    flag: '--redis <url>',
    env: ['SCRIPTORIUM_REDIS', 'REDIS_URL'],
    default: '',
    help: 'Keep documents in Redis (7.0 or newer) or Valkey instead of the directory, shared by all nodes that name it; redis+sentinel:// and redis+cluster:// too',
  }),
  redisPrefix: option({
    kind: keyPrefix,
    flag: '--redis-prefix <text>',
    env: ['SCRIPTORIUM_REDIS_PREFIX'],
    default: 'scriptorium:',
    help: 'Begins every key in Redis; nodes with different prefixes share nothing',
  }),
  archive: option({
    kind: archiveUrl,
    flag: '--archive <url>',
    env: ['SCRIPTORIUM_ARCHIVE'],
    default: '',
    help: 'PostgreSQL database or S3 bucket to which documents move that nobody uses, out of the memory of Redis',
  }),
  archiveAfter: option({
    kind: wholeNumber(1, 366 * 24 * 3600),
    flag: '--archive-after <number>',
    env: ['SCRIPTORIUM_ARCHIVE_AFTER'],
    unit: 'seconds',
    default: 3600,
    help: 'How long nobody must have used a document before it moves to the archive',
  }),
  workers: option({
    kind: processCount,
    flag: '--workers <number>',
    env: ['SCRIPTORIUM_WORKERS'],
    unit: 'processes',
    default: 1,
    help: 'Processes that serve clients, to use several cores; auto: one per core. Above 1, another process accepts and stores',
  }),
  maxMessageBytes: option({
    kind: wholeNumber(1024, 1024 * 1024 * 1024),
    flag: '--max-message-bytes <number>',
    env: ['SCRIPTORIUM_MAX_MESSAGE_BYTES'],
    unit: 'bytes',
    default: defaultLimits.maxMessageBytes,
    help: 'Largest WebSocket message accepted; a larger one closes its connection with 1009',
  }),
  maxConnections: option({
    kind: wholeNumber(1, 1_000_000),
    flag: '--max-connections <number>',
    env: ['SCRIPTORIUM_MAX_CONNECTIONS'],
    unit: 'sockets',
    default: defaultLimits.maxConnections,
    help: 'Open WebSockets at once; further ones are answered 503',
  }),
  drainSeconds: option({
    kind: wholeNumber(1, 3600),
    flag: '--drain-seconds <number>',
    env: ['SCRIPTORIUM_DRAIN_SECONDS'],
    unit: 'seconds',
    default: 10,
    help: 'After SIGTERM or SIGINT the process has stored everything and is gone within this time',
  }),
  demo: option({
    kind: onOff,
    flag: '--no-demo',
    env: ['SCRIPTORIUM_DEMO'],
    default: true,
    help: 'Do not serve the demo editor at /',
  }),
  metrics: option({
    kind: onOff,
    flag: '--no-metrics',
    env: ['SCRIPTORIUM_METRICS'],
    default: true,
    help: 'Do not collect metrics and do not serve them at /metrics',
  }),
  logLevel: option({
    kind: choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    flag: '--log-level <level>',
    env: ['SCRIPTORIUM_LOG_LEVEL', 'LOG_LEVEL'],
    default: 'info',
    help: 'Least severe log line that is written: fatal, error, warn, info, debug, trace or silent',
  }),
  logFormat: option({
    kind: choice(['auto', 'pretty', 'json']),
    flag: '--log-format <format>',
    env: ['SCRIPTORIUM_LOG_FORMAT'],
    default: 'auto',
    help: 'pretty: for people, json: one object per line, auto: pretty on a terminal and json elsewhere',
  }),
}

type Table = typeof optionTable

export type OptionName = keyof Table

/** Configuration, complete and valid. Meaning, units and defaults: `optionTable`. */
export type Options = { readonly [Name in OptionName]: Table[Name] extends OptionSpec<infer Value> ? Value : never }

export const optionNames = Object.keys(optionTable) as OptionName[]
