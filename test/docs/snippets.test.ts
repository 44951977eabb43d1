import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientPages, root, snippetsOf } from './markdown.ts'
import type { Snippet } from './markdown.ts'

/** Inside the project, so that a snippet finds its packages and `scriptorium` itself as an installed one would. */
const workshop = join(root, 'dist', '.cache', 'snippets')
const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const COMPILE_MS = 120_000

const options = {
  compilerOptions: {
    target: 'ES2023',
    module: 'ESNext',
    moduleResolution: 'Bundler',
    moduleDetection: 'force',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node', 'vite/client'],
    jsx: 'react-jsx',
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmit: true,
    // What the pages call it, and how it is installed here, beside two older versions.
    paths: { '@hocuspocus/provider': [join(root, 'node_modules', 'hocuspocus-provider-4')] },
  },
  include: ['*.ts', '*.tsx'],
}

const fileOf = ({ page, line, extension }: Snippet): string => `${page.replace(/\W+/g, '_')}_${line}.${extension}`

/** What the compiler says about each file; empty when it is content. */
async function compile(snippets: readonly Snippet[]): Promise<Map<string, string[]>> {
  await rm(workshop, { recursive: true, force: true })
  await mkdir(workshop, { recursive: true })
  await writeFile(join(workshop, 'tsconfig.json'), JSON.stringify(options))
  for (const snippet of snippets) await writeFile(join(workshop, fileOf(snippet)), snippet.code)
  const run = promisify(execFile)(process.execPath, [compiler, '-p', workshop, '--pretty', 'false'])
  const output = await run.then(
    () => '',
    (error: { stdout: string; stderr: string }) => error.stdout + error.stderr,
  )
  const complaints = new Map<string, string[]>(snippets.map((snippet) => [fileOf(snippet), []]))
  for (const line of output.split('\n').filter((text) => text.includes('error TS'))) {
    const file = /([^/\s]+)\(\d+,\d+\)/.exec(line)?.[1] ?? ''
    const known = complaints.get(file)
    if (known === undefined) throw new Error(`the compiler cannot work: ${output}`)
    known.push(line)
  }
  return complaints
}

const pages = clientPages().map((page) => ({ page, snippets: snippetsOf(page) }))
const wrong: Snippet = {
  page: 'wrong',
  line: 1,
  extension: 'ts',
  code: "import { WebsocketProvider } from 'scriptorium/client'\nnew WebsocketProvider(1, 'room')\n",
}

describe("the client's pages", () => {
  let complaints: ReadonlyMap<string, string[]>

  beforeAll(async () => {
    complaints = await compile([...pages.flatMap(({ snippets }) => snippets), wrong])
  }, COMPILE_MS)
  afterAll(async () => {
    await rm(workshop, { recursive: true, force: true })
  })

  test.each(pages)('every snippet of $page compiles against the installed packages', ({ snippets }) => {
    expect(snippets.length).toBeGreaterThan(0)
    for (const snippet of snippets) expect(complaints.get(fileOf(snippet)), `line ${snippet.line}`).toEqual([])
  })

  test('the compiler looks at what these snippets import', () => {
    expect(complaints.get(fileOf(wrong))?.join()).toContain('TS2')
  })
})
