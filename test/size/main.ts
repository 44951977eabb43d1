import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

/** Bytes, gzipped, that the client may add to what an application has already: Yjs, its protocols and lib0. */
const LIMIT_BYTES = 10 * 1024

const root = join(import.meta.dirname, '..', '..')

/** What an application has already. */
const PEERS = [/^yjs$/, /^y-protocols\//, /^lib0\//]
/** Imported on demand: with the options `persistence` and `multiplex`, and with tokens from a function. */
const ON_DEMAND = [/deviceCopy/, /indexedDbStore/, /sharedSocket/, /askedTokens/]

/** Bytes, and gzipped, of what an application's bundler would make of it. */
async function measure(entry: string, external: readonly RegExp[]): Promise<{ bytes: number; packed: number }> {
  const built = await build({
    configFile: false,
    root,
    logLevel: 'silent',
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      ssr: true, // or Vite adds its own preloading of what is imported on demand
      // Not `lib`: that leaves line breaks and indentation in, for others to take out.
      rolldownOptions: {
        input: join(root, entry),
        external: [...external],
        preserveEntrySignatures: 'strict',
        treeshake: { moduleSideEffects: false }, // lib0 says so, and so do ours
      },
    },
  })
  if (!('output' in built)) throw new Error('vite has built nothing')
  const chunks = built.output.filter((output) => output.type === 'chunk')
  const bytes = chunks.reduce((sum, { code }) => sum + code.length, 0)
  return { bytes, packed: chunks.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0) }
}

async function check(): Promise<boolean> {
  const { bytes, packed } = await measure('client/index.ts', [...PEERS, ...ON_DEMAND])
  const all = await measure('client/index.ts', PEERS)
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const isSmall = packed <= LIMIT_BYTES
  const verdict = isSmall ? 'ok' : 'too large'
  process.stdout.write(
    `scriptorium/client ${version}: ${String(bytes)} bytes, ${String(packed)} gzipped, of ${String(LIMIT_BYTES)} allowed: ${verdict}; ` +
      `with everything that is loaded on demand ${String(all.packed)} gzipped\n`,
  )
  return isSmall
}

if (!(await check())) process.exitCode = 1
