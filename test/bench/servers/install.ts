import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { peersDirectory } from './kinds.ts'

/** Installs the peers unless they are there. Resolves with what went wrong, or null. */
export function installPeers(log: (text: string) => void): Promise<string | null> {
  if (existsSync(join(peersDirectory, 'node_modules', '.package-lock.json'))) return Promise.resolve(null)
  log('installing the peers: npm ci --prefix test/bench/peers (once; builds SQLite where there is no prebuilt one)')
  return new Promise((resolve) => {
    const child = spawn('npm', ['ci', '--no-audit', '--no-fund', '--prefix', peersDirectory], { stdio: 'inherit' })
    child.once('error', (error) => {
      resolve(error.message)
    })
    child.once('exit', (code) => {
      resolve(code === 0 ? null : `npm ci ended with ${code}`)
    })
  })
}
