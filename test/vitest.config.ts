import { defineConfig } from 'vitest/config'

/** Files named `*.long.test.ts` take minutes; they run with `npm run test:long` only. */
const long = process.env['TEST_LONG'] === '1'
/** Files named `*.alone.test.ts` print what they measure: `npm test` runs them last, when nothing else keeps the cores busy. */
const alone = process.env['TEST_ALONE'] === '1'
const include = long ? '**/*.long.test.ts' : alone ? '**/*.alone.test.ts' : '**/*.test.ts'
const others = long || alone ? [] : ['**/*.long.test.ts', '**/*.alone.test.ts']

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: [include],
    exclude: ['node_modules/**', ...others],
    testTimeout: long ? 600_000 : 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 2,
  },
})
