import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

/** Bytes, gzipped, that the client may add to what an application has already: Yjs, its protocols and lib0. */
const LIMIT_BYTES = 10 * 1024

const root = join(import.meta.dirname, '..', '..')

/** One file, as an application's bundler would make of it. */
async function bundle(entry: string): Promise<string> {
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
        // The last four are imported on demand: with the options `persistence` and `multiplex`, and with tokens from a function.
        external: [/^yjs$/, /^y-protocols\//, /^lib0\//, /deviceCopy/, /indexedDbStore/, /sharedSocket/, /tokenExpiry/],
        preserveEntrySignatures: 'strict',
        treeshake: { moduleSideEffects: false }, // lib0 says so, and so do ours
      },
    },
  })
  if (!('output' in built)) throw new Error('vite has built nothing')
  const chunks = built.output.filter((output) => output.type === 'chunk')
  return chunks.map((chunk) => chunk.code).join('\n')
}

async function check(): Promise<boolean> {
  const code = await bundle('client/index.ts')
  const packed = gzipSync(code, { level: 9 }).length
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const isSmall = packed <= LIMIT_BYTES
  const verdict = isSmall ? 'ok' : 'too large'
  process.stdout.write(
    `scriptorium/client ${version}: ${String(code.length)} bytes, ${String(packed)} gzipped, of ${String(LIMIT_BYTES)} allowed: ${verdict}\n`,
  )
  return isSmall
}

if (!(await check())) process.exitCode = 1
