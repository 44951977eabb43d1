import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { freePort } from './freePort.ts'

const shipped = join(import.meta.dirname, '..', '..', 'server', 'deploy', 'nginx')
// Debian puts it where only root's path looks.
const environment = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` }

/** Why tests that need nginx cannot run here; null: they can. */
export const nginxMissing: string | null =
  spawnSync('nginx', ['-v'], { env: environment }).error === undefined
    ? null
    : 'nginx is not installed (Debian: apt-get install nginx-light)'

if (nginxMissing !== null) process.stderr.write(`nginx tests are SKIPPED: ${nginxMissing}\n`)

export interface NginxOptions {
  /** Ports of the nodes, on this machine. */
  readonly nodes: readonly number[]
  /** Seconds of its timeouts; default: as shipped. */
  readonly timeout?: number
  readonly tls?: { readonly certificate: string; readonly key: string }
}

/** A real nginx with the configuration we ship, in which only places (ports, paths, nodes) are replaced. */
export class NginxServer {
  readonly port: number
  readonly tlsPort: number
  readonly #directory: string
  #child: ChildProcess | null = null

  private constructor(directory: string, port: number, tlsPort: number) {
    this.#directory = directory
    this.port = port
    this.tlsPort = tlsPort
  }

  static async start(options: NginxOptions): Promise<NginxServer> {
    const directory = await mkdtemp(join(tmpdir(), 'scriptorium-nginx-'))
    const server = new NginxServer(directory, await freePort(), await freePort())
    await mkdir(join(directory, 'scriptorium'))
    await writeFile(join(directory, 'nginx.conf'), await server.#configuration(options))
    if (options.tls !== undefined) await server.#writeTls(options.tls)
    await server.#launch()
    return server
  }

  get url(): string {
    return `ws://127.0.0.1:${String(this.port)}`
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${String(this.port)}`
  }

  /** What it wrote about errors. */
  errors(): Promise<string> {
    return readFile(join(this.#directory, 'error.log'), 'utf8')
  }

  /** One line for each request that has ended. */
  accesses(): Promise<string> {
    return readFile(join(this.#directory, 'access.log'), 'utf8')
  }

  /** Reads the configuration again, with other nodes perhaps; connections stay with the old workers. */
  async reload(options: NginxOptions): Promise<void> {
    await writeFile(join(this.#directory, 'nginx.conf'), await this.#configuration(options))
    this.#child?.kill('SIGHUP')
  }

  async dispose(): Promise<void> {
    const child = this.#child
    if (child !== null && child.exitCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #launch(): Promise<void> {
    const args = ['-p', this.#directory, '-c', join(this.#directory, 'nginx.conf'), '-g', 'daemon off;']
    const child = spawn('nginx', args, { env: environment, stdio: ['ignore', 'ignore', 'pipe'] })
    let complaints = ''
    child.stderr.on('data', (text: Buffer) => (complaints += text.toString()))
    this.#child = child
    await eventually(() => canConnect(this.port), 'nginx listens', { detail: () => complaints })
  }

  async #configuration({ nodes, timeout }: NginxOptions): Promise<string> {
    let text = await readFile(join(shipped, 'nginx.conf'), 'utf8')
    const node = (port: number): string => `server 127.0.0.1:${String(port)} max_fails=0;`
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`)
    const places: readonly (readonly [RegExp, string])[] = [
      [/listen 80 backlog=4096;/, `listen 127.0.0.1:${String(this.port)};`],
      [/(?: *server node-\d:1234 max_fails=0 resolve;\n){3}/, `${nodes.map(node).join('\n')}\n`],
      [/resolver 127\.0\.0\.11 valid=5s ipv6=off;/, ''],
      [/include mime\.types;/, temporary.join('\n')],
      [/\/dev\/stderr/, 'error.log'],
      [/\/dev\/stdout/, 'access.log'],
      [/\/run\/nginx\.pid/, 'nginx.pid'],
      [/\/etc\/nginx\/scriptorium\//, `${this.#directory}/scriptorium/`],
    ]
    for (const [place, replacement] of places) text = replaced(text, place, replacement)
    if (timeout === undefined) return text
    return text.replace(/(?<=(?:read|send)_timeout )75s/g, `${String(timeout)}s`)
  }

  async #writeTls(tls: { certificate: string; key: string }): Promise<void> {
    await writeFile(join(this.#directory, 'fullchain.pem'), tls.certificate)
    await writeFile(join(this.#directory, 'privkey.pem'), tls.key)
    let text = await readFile(join(shipped, 'tls.conf'), 'utf8')
    text = replaced(text, /listen 443 ssl backlog=4096;/, `listen 127.0.0.1:${String(this.tlsPort)} ssl;`)
    text = text.replaceAll(/\/etc\/nginx\/certificates/g, this.#directory)
    await writeFile(join(this.#directory, 'scriptorium', 'tls.conf'), text)
  }
}

/** A place that is not there means that the file we ship has changed, and the test with it must. */
function replaced(text: string, place: RegExp, replacement: string): string {
  if (!place.test(text)) throw new Error(`the shipped configuration has nothing like ${String(place)}`)
  return text.replace(place, replacement)
}

async function canConnect(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } finally {
    socket.destroy()
  }
}
