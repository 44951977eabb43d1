import { documentCases } from './engineDocumentCases.ts'
import type { EngineCase, EngineUnderTest } from './engineCase.ts'
import { logCases } from './engineLogCases.ts'

/**
 * What every engine must do, as cases for any test runner:
 *
 *     for (const { title, run } of engineContract(make)) test(title, run)
 */
export function engineContract(make: () => Promise<EngineUnderTest>): readonly EngineCase[] {
  return [...logCases, ...documentCases].map(([title, body]) => ({
    title,
    run: async () => {
      const test = await make()
      try {
        await body(test.engine, test)
      } finally {
        await test.cleanup()
      }
    },
  }))
}
