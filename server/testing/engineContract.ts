import { documentCases } from './engineDocumentCases.ts'
import type { EngineCase, EngineUnderTest, SharedEngineUnderTest } from './engineCase.ts'
import { logCases } from './engineLogCases.ts'
import { nodeCases } from './engineNodeCases.ts'

/**
 * What every engine must do, as cases for any test runner:
 *
 *     for (const { title, run } of engineContract(make)) test(title, run)
 */
export function engineContract(make: () => Promise<EngineUnderTest>): readonly EngineCase[] {
  return [...logCases, ...documentCases].map(([title, body]) => ({ title, run: () => runCase(make, body) }))
}

/** What an engine must do besides when several nodes share its storage. */
export function engineNodeContract(make: () => Promise<SharedEngineUnderTest>): readonly EngineCase[] {
  return nodeCases.map(([title, body]) => ({ title, run: () => runCase(make, body) }))
}

async function runCase<Test extends EngineUnderTest>(
  make: () => Promise<Test>,
  body: (engine: Test['engine'], test: Test) => Promise<void>,
): Promise<void> {
  const test = await make()
  try {
    await body(test.engine, test)
  } finally {
    await test.cleanup()
  }
}
