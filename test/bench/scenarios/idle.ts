import { setTimeout as delay } from 'node:timers/promises'
import { renew } from '../load/renewals.ts'
import { randomFrom } from '../measure/numbers.ts'
import { OwnShare, usageOf } from '../measure/proc.ts'
import { ServerProcess } from '../servers/serverProcess.ts'
import { closeAll, connectAll } from '../wire/client.ts'
import { check, generatorShare, type Outcome, type RunContext, type Scenario } from './scenario.ts'

const CONNECTIONS = 5000
const PER_ROOM = 2
async function run({ kind, directory, seconds, log }: RunContext): Promise<Outcome> {
  const server = await ServerProcess.start(kind, directory)
  await delay(1000)
  const before = usageOf(server.pid)
  log(`connecting ${CONNECTIONS} clients, ${PER_ROOM} in each room`)
  const clients = await connectAll(
    Array.from({ length: CONNECTIONS }, (_, number) => ({
      port: server.port,
      dialect: kind.dialect,
      document: `idle-${Math.floor(number / PER_ROOM)}`,
    })),
  )
  const random = randomFrom(5)
  const stops = clients.map((client, number) => renew(client, number, random))
  await delay(2000)
  log(`connected; idle for ${seconds} s`)
  const start = usageOf(server.pid)
  const own = new OwnShare()
  await delay(seconds * 1000)
  const end = usageOf(server.pid)
  const generator = own.share()
  for (const stop of stops) stop()
  const lost = clients.filter((client) => client.closedBy !== null).length
  closeAll(clients)
  await server.stop()
  return {
    values: {
      rss: (end.rss - before.rss) / 1024 / CONNECTIONS,
      cpu: (end.cpuMs - start.cpuMs) / (seconds * 10),
      generator,
    },
    checks: [check('nobody was disconnected', lost === 0, `${lost} connections lost`)],
  }
}

export const idle: Scenario = {
  name: 'idle',
  title: '5,000 idle connections, two in each of 2,500 rooms, renewing their presence every 15 s',
  seconds: 20,
  metrics: [
    {
      id: 'rss',
      title: 'RSS per connection (its half of a room included)',
      unit: 'KiB',
      better: 'lower',
      targets: [{ kind: 'atMost', value: 8 }],
    },
    {
      id: 'cpu',
      title: 'server CPU, share of one core',
      unit: '%',
      better: 'lower',
      targets: [{ kind: 'ratio', value: 0.5 }],
    },
    generatorShare,
  ],
  run,
}
