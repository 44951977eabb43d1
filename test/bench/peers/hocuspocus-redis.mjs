// Hocuspocus with its Redis extension, as its documentation sets up several servers. Nothing stores the documents: a
// database would only add to what it costs. PORT, HOST and REDIS_PORT come from the environment.
/* oxlint-disable typescript/no-unsafe-assignment -- no types here: its packages are installed on demand only */
import { env } from 'node:process'
import { Redis } from '@hocuspocus/extension-redis'
import { Server } from '@hocuspocus/server'

const { PORT, HOST, REDIS_PORT } = env
const server = new Server({
  port: Number(PORT),
  address: HOST,
  quiet: true,
  extensions: [new Redis({ host: '127.0.0.1', port: Number(REDIS_PORT) })],
})
await server.listen()
