import { beforeAll, test } from 'vitest'
import { forSeeds, fromEnvironment } from '../model/random.ts'
import { ClientHistory } from './clientHistory.ts'
import { loadSharedSockets } from './clientServers.ts'

const first = fromEnvironment('SEED', 1)
const runs = fromEnvironment('RUNS', 500)

beforeAll(loadSharedSockets)

test('P1, P2: in 500 histories nothing is lost or doubled, and nothing is called saved too early', async () => {
  await forSeeds({ name: 'client history', runs, first }, (seed) => new ClientHistory(seed).run(60))
}, 300_000)
