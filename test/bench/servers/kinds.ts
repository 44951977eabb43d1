import { join } from 'node:path'
import { hocuspocusDialect, yWebsocketDialect } from '../wire/dialect.ts'
import type { ServerKind, ServerName } from './serverKind.ts'

const root = join(import.meta.dirname, '..', '..', '..')

/** Where the peers are installed, on demand. */
export const peersDirectory = join(import.meta.dirname, '..', 'peers')

/** Flags for our own server's process: those of `npm start`, and more to look into it: `BENCH_NODE_FLAGS=--cpu-prof`. */
const nodeFlags = ['--max-semi-space-size=4', ...(process.env['BENCH_NODE_FLAGS']?.split(' ') ?? [])]

/** The same server with more arguments. */
export function withArguments(kind: ServerKind, ...more: readonly string[]): ServerKind {
  const command: ServerKind['command'] = (directory, port) => {
    const { args, env } = kind.command(directory, port)
    return { args: [...args, ...more], env }
  }
  return { ...kind, command }
}

const ours: ServerKind = {
  name: 'ours',
  title: 'Scriptorium',
  dialect: yWebsocketDialect,
  command: (directory, port) => ({
    args: [
      ...nodeFlags,
      join(root, 'dist', 'bin', 'scriptorium.js'),
      'serve',
      directory,
      '--port',
      String(port),
      '--host',
      '127.0.0.1',
    ],
    // What the caller's environment names is not what is measured.
    env: { REDIS_URL: '', SCRIPTORIUM_REDIS: '' },
  }),
  onRedis: ({ url }) => withArguments(ours, '--redis', url),
  readyPath: '/readyz',
  probes: true,
  quietMs: 1000,
}

const yWebsocket: ServerKind = {
  name: 'y-websocket',
  title: 'y-websocket 2.1.0, LevelDB',
  dialect: yWebsocketDialect,
  command: (directory, port) => ({
    args: [join(peersDirectory, 'node_modules', 'y-websocket', 'bin', 'server.cjs')],
    env: { HOST: '127.0.0.1', PORT: String(port), YPERSISTENCE: join(directory, 'leveldb') },
  }),
  readyPath: '/',
  probes: false,
  quietMs: 1000,
}

const hocuspocus: ServerKind = {
  name: 'hocuspocus',
  title: 'Hocuspocus 4.7.0, SQLite',
  dialect: hocuspocusDialect,
  command: (directory, port) => ({
    args: [join(peersDirectory, 'hocuspocus.mjs')],
    env: { HOST: '127.0.0.1', PORT: String(port), DATABASE: join(directory, 'documents.sqlite') },
  }),
  onRedis: (redis) => ({
    ...hocuspocus,
    command: (_directory, port) => ({
      args: [join(peersDirectory, 'hocuspocus-redis.mjs')],
      env: { HOST: '127.0.0.1', PORT: String(port), REDIS_PORT: String(redis.port) },
    }),
  }),
  readyPath: '/',
  probes: false,
  // It stores 2 s after the last edit.
  quietMs: 3000,
}

/** Not a server: proves that the harness notices what is missing. */
const lossyRelay: ServerKind = {
  name: 'lossy-relay',
  title: 'Relay that drops 1 % of its frames',
  dialect: yWebsocketDialect,
  command: (_directory, port) => ({
    args: [...process.execArgv, join(import.meta.dirname, 'lossyRelay.ts')],
    env: { PORT: String(port) },
  }),
  readyPath: '/',
  probes: true,
  quietMs: 400,
}

export const kinds: Readonly<Record<ServerName, ServerKind>> = {
  ours,
  'y-websocket': yWebsocket,
  hocuspocus,
  'lossy-relay': lossyRelay,
}
