import type { Dialect } from '../wire/dialect.ts'

/** The names the command line, the tables and the results file use. */
export type ServerName = 'ours' | 'y-websocket' | 'hocuspocus' | 'lossy-relay'

interface LaunchCommand {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** A server the benchmark can run. */
export interface ServerKind {
  readonly name: ServerName
  readonly title: string
  readonly dialect: Dialect
  /** What `node` is started with so that the server keeps its data under `directory` and listens on 127.0.0.1. */
  command(directory: string, port: number): LaunchCommand
  /** The same server as one node of several around that Redis; undefined: it cannot. */
  readonly onRedis?: (redis: { readonly url: string; readonly port: number }) => ServerKind
  /** Answers 200 here once it accepts clients. */
  readonly readyPath: string
  /** It answers y-sweet's probe (102) once what came before is durable. */
  readonly probes: boolean
  /** Milliseconds without work after which it has nothing left to store: longer than its own delay before storing. */
  readonly quietMs: number
}
