import { defineConfig } from 'vitest/config'

/** Files named `*.long.test.ts` take minutes; they run with `npm run test:long` only. */
const long = process.env['TEST_LONG'] === '1'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: long ? ['**/*.long.test.ts'] : ['**/*.test.ts'],
    exclude: long ? ['node_modules/**'] : ['node_modules/**', '**/*.long.test.ts'],
    testTimeout: long ? 600_000 : 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
})
