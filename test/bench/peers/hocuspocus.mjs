// Hocuspocus as its documentation sets it up: the bundled server, one SQLite file. PORT, HOST and DATABASE come from the
// environment.
/* oxlint-disable typescript/no-unsafe-assignment -- no types here: its packages are installed on demand only */
import { env } from 'node:process'
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const { PORT, HOST, DATABASE } = env
const server = new Server({
  port: Number(PORT),
  address: HOST,
  quiet: true,
  extensions: [new SQLite({ database: DATABASE })],
})
await server.listen()
