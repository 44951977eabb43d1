import { describe, expect, it } from 'vitest'
import { Nodes } from './nodes.ts'
import { forSeeds, fromEnvironment } from './random.ts'

/** `NODES_SEED=n NODES_RUNS=1` replays a failure. */
const RUNS = fromEnvironment('NODES_RUNS', 150)
const FIRST = fromEnvironment('NODES_SEED', 40)

describe('one document on several nodes, by model', () => {
  it(
    `P1, P2, P6, R1-R5: ${RUNS} random histories with crashes and a forgetful database converge`,
    { timeout: 300_000 },
    async () => {
      const seen = { replicated: 0, reconciled: 0, compacted: 0 }
      await forSeeds({ name: 'NODES_SEED', runs: RUNS, first: FIRST }, async (seed) => {
        const nodes = new Nodes(seed)
        for (let step = 0; step < 120; step += 1) await nodes.step()
        await nodes.end()
        for (const type of ['replicated', 'reconciled', 'compacted'] as const) seen[type] += nodes.count(type)
      })
      for (const count of Object.values(seen)) expect(count).toBeGreaterThan(RUNS / 10)
    },
  )

  it('R4: what the database has lost is given back although everybody has left meanwhile', async () => {
    const nodes = new Nodes(1, { nodes: 1, clients: 1 })
    const [world] = nodes.worlds
    const [client] = nodes.clients
    if (world === undefined || client === undefined) throw new Error('unreachable')
    client.connect()
    client.doc.getText('text').insert(0, 'kept')
    await nodes.rest()
    world.hold('load')
    nodes.database.lose('room', 5)
    await world.clock.settle()
    client.disconnect()
    await world.clock.advanceAsync(20_000)
    expect(world.registry.size).toBe(1)
    world.release()
    await world.clock.advanceAsync(20_000)
    expect(world.registry.size).toBe(0)
    await world.expectStored('room')
  })
})
