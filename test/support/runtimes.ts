import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'runtimes')

/** A program that runs JavaScript, and the arguments it wants before the script. */
export interface Runtime {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

/**
 * Exact versions, from the npm registry, installed on demand: together they are 200 MB, which nobody should have to download
 * for one test. The binaries lie in packages for one platform each; no install script is run.
 */
const PACKAGES = {
  bun: { package: '@oven/bun-linux-x64', version: '1.4.5', binary: 'bin/bun', args: [] },
  deno: {
    package: '@deno/linux-x64-glibc',
    version: '2.9.6',
    binary: 'deno',
    args: ['run', '--no-prompt', '--allow-net', '--allow-read', '--allow-env'],
  },
} as const

/** Bun or Deno; null: not to be had here, and why has been printed. */
export async function findRuntime(name: keyof typeof PACKAGES): Promise<Runtime | null> {
  const { package: id, version, binary, args } = PACKAGES[name]
  const directory = join(CACHE, `${name}-${version}`)
  const command = join(directory, 'node_modules', id, binary)
  try {
    if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('only Linux on x64 is provided for')
    if (!existsSync(command)) await install(directory, `${id}@${version}`)
    await promisify(execFile)(command, ['--version'])
    return { name, command, args }
  } catch (error) {
    process.stderr.write(`The client is not tested in ${name}: ${String(error)}\n`)
    return null
  }
}

async function install(directory: string, what: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'package.json'), '{ "private": true }')
  const args = ['install', '--prefix', directory, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save', what]
  await promisify(execFile)('npm', args, { timeout: 240_000 })
}
