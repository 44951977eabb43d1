import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import { MemoryEngine, MemoryStore } from '../../server/engine/memory/memoryEngine.ts'
import type { EngineUnderTest, SharedEngineUnderTest } from '../../server/testing/engineCase.ts'
import { engineContract, engineNodeContract } from '../../server/testing/engineContract.ts'
import { FaultyEngine } from '../../server/testing/faultyEngine.ts'

async function makeLevel(durability: 'fsync' | 'os'): Promise<EngineUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), 'scriptorium-contract-'))
  let engine = await openLevelEngine({ directory, durability })
  return {
    engine,
    reopen: async () => {
      await engine.close()
      engine = await openLevelEngine({ directory, durability })
      return engine
    },
    cleanup: async () => {
      await engine.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

async function makeMemory(): Promise<EngineUnderTest> {
  const engine = new MemoryEngine()
  return { engine, reopen: async () => engine, cleanup: () => engine.close() }
}

async function makeSharedMemory(): Promise<SharedEngineUnderTest> {
  const store = new MemoryStore()
  const engine = new MemoryEngine(store)
  const peer = async (): Promise<MemoryEngine> => new MemoryEngine(store)
  return { engine, peer, reopen: async () => engine, cleanup: () => engine.close() }
}

/** A wrapper that injects nothing must be invisible. */
async function makeFaulty(): Promise<EngineUnderTest> {
  const engine = new FaultyEngine(new MemoryEngine())
  return { engine, reopen: async () => engine, cleanup: () => engine.close() }
}

const engines: readonly (readonly [string, () => Promise<EngineUnderTest>])[] = [
  ['LevelDB, fsync', () => makeLevel('fsync')],
  ['LevelDB, os', () => makeLevel('os')],
  ['memory', makeMemory],
  ['faulty without faults', makeFaulty],
]

describe.each(engines)('engine contract: %s', (_name, make) => {
  test.each(engineContract(make))('$title', ({ run }) => run())
})

describe('engine contract: several nodes on one memory', () => {
  test.each(engineNodeContract(makeSharedMemory))('$title', ({ run }) => run())
})
