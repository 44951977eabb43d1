import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { peersDirectory } from './kinds.ts'

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** Whether every peer is there in the version that `package.json` names. */
function installed(): boolean {
  const { dependencies } = readJson(join(peersDirectory, 'package.json')) as { dependencies: Record<string, string> }
  try {
    return Object.entries(dependencies).every(([name, wanted]) => {
      const { version } = readJson(join(peersDirectory, 'node_modules', name, 'package.json')) as { version: string }
      return version === wanted
    })
  } catch {
    // Not there at all.
    return false
  }
}

/** Installs the peers unless they are there. Resolves with what went wrong, or null. */
export function installPeers(log: (text: string) => void): Promise<string | null> {
  if (installed()) return Promise.resolve(null)
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
