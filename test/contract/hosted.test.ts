import { rm } from 'node:fs/promises'
import { describe, test } from 'vitest'
import type { Engine } from '../../server/engine/engine.ts'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import { MemoryEngine, MemoryStore } from '../../server/engine/memory/memoryEngine.ts'
import type { SharedEngineUnderTest } from '../../server/testing/engineCase.ts'
import { engineContract, engineNodeContract } from '../../server/testing/engineContract.ts'
import { temporaryDirectory } from '../support/testServer.ts'
import { HostedEngines } from '../support/workersEngine.ts'

async function makeHosted(open: () => Promise<Engine>): Promise<SharedEngineUnderTest> {
  let engines = await HostedEngines.over(await open())
  const close = async (): Promise<void> => {
    await engines.dispose()
    await engines.engine.close()
  }
  return {
    engine: await engines.open(),
    peer: () => engines.open(),
    reopen: async () => {
      await close()
      engines = await HostedEngines.over(await open())
      return engines.open()
    },
    cleanup: close,
  }
}

async function makeLevel(): Promise<SharedEngineUnderTest> {
  const directory = await temporaryDirectory()
  const made = await makeHosted(() => openLevelEngine({ directory, durability: 'os' }))
  const cleanup = async (): Promise<void> => {
    await made.cleanup()
    await rm(directory, { recursive: true, force: true })
  }
  return { ...made, cleanup }
}

async function makeMemory(): Promise<SharedEngineUnderTest> {
  const store = new MemoryStore()
  return makeHosted(async () => new MemoryEngine(store))
}

const kinds: readonly (readonly [string, () => Promise<SharedEngineUnderTest>])[] = [
  ['hosted over LevelDB', makeLevel],
  ['hosted over memory', makeMemory],
]

describe.each(kinds)('engine contract: %s', (_name, make) => {
  test.each([...engineContract(make), ...engineNodeContract(make)])('E1: $title', ({ run }) => run())
})
