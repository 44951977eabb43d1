import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { defaultLimits } from '../../shared/limits.ts'
import { optionNames, optionTable } from '../../server/options/table.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const deploy = 'server/deploy'
const drainSeconds = optionTable.drainSeconds.default

/** Every document of a YAML file, as plain values; anything the parser would only warn of fails too. */
function parse<Document>(path: string): Document[] {
  return parseAllDocuments(read(path), { strict: true, uniqueKeys: true, merge: true }).map((document) => {
    expect([...document.errors, ...document.warnings], path).toEqual([])
    return document.toJS() as Document
  })
}

interface Service {
  readonly profiles?: readonly string[]
  readonly build?: string
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly stop_grace_period?: string
  readonly command?: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes?: object
}

interface Container {
  readonly image: string
  readonly ports: readonly object[]
  readonly securityContext: object
  readonly readinessProbe: { readonly httpGet: { readonly path: string } }
  readonly livenessProbe: { readonly httpGet: { readonly path: string } }
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
}

/** What this file reads of Kubernetes objects of several kinds. */
interface KubernetesObject {
  readonly kind: string
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
  readonly spec: {
    readonly selector: { readonly matchLabels?: object }
    readonly ports: readonly { readonly targetPort: string }[]
    readonly template: {
      readonly metadata: { readonly labels: object }
      readonly spec: {
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: object
        readonly containers: readonly [Container]
      }
    }
  }
}

/** Every SCRIPTORIUM_… in the text is a variable that some option reads; one with a typing error would do nothing. */
function expectKnownVariables(path: string): void {
  const known = new Set(optionNames.flatMap((name) => optionTable[name].env))
  const used = read(path).match(/SCRIPTORIUM_[A-Z_]+/g) ?? []
  for (const variable of used) expect(known, `${path}: ${variable}`).toContain(variable)
}

function only<Element>(elements: readonly Element[]): Element {
  const [element] = elements
  if (element === undefined || elements.length > 1) throw new Error(`there are ${String(elements.length)}, not one`)
  return element
}

const seconds = (text = ''): number => Number(/^(?<value>\d+)s$/.exec(text)?.groups?.['value'])
const upstreams = (text: string): string[] => [...new Set(text.match(/node-\d:1234/g))].toSorted()
const nodeAddresses = ['node-1:1234', 'node-2:1234', 'node-3:1234']

describe('docker-compose.yml', () => {
  const [compose = { services: {} }] = parse<Compose>('docker-compose.yml')
  const [tls = { services: {} }] = parse<Compose>(`${deploy}/compose.tls.yml`)
  const services = Object.entries(compose.services)
  const everywhere = [...services, ...Object.entries(tls.services)]
  const inProfile = (profile: string): string[] =>
    services.filter(([, service]) => service.profiles?.includes(profile)).map(([name]) => name)

  test('one server unless told otherwise; three nodes, Valkey and a proxy in the profile cluster', () => {
    expect(read('.env')).toMatch(/^COMPOSE_PROFILES=single$/m)
    expect(inProfile('single')).toEqual(['scriptorium'])
    expect(inProfile('cluster')).toEqual(['node-1', 'node-2', 'node-3', 'proxy', 'valkey'])
    expect(services).toHaveLength(6)
  })

  test('nobody but this machine can connect, since there is no authentication', () => {
    const ports = everywhere.flatMap(([, service]) => service.ports ?? [])
    expect(ports).toHaveLength(3)
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('servers have the time they need to stop', () => {
    for (const [name, service] of services.filter(([, { build }]) => build !== undefined)) {
      expect(seconds(service.stop_grace_period), name).toBeGreaterThan(drainSeconds)
    }
  })

  test('files and volumes that are mounted exist', () => {
    const mounts = everywhere.flatMap(([, service]) => service.volumes ?? [])
    for (const source of mounts.map((mount) => mount.split(':')[0] ?? '')) {
      if (source.startsWith('./')) expect(existsSync(join(root, source)), source).toBe(true)
      else if (!source.startsWith('$')) expect(compose.volumes).toHaveProperty(source)
    }
  })

  test('Valkey forgets nothing: append-only file, no eviction', () => {
    for (const setting of ['--appendonly yes', '--appendfsync everysec', '--maxmemory-policy noeviction']) {
      expect(compose.services['valkey']?.command).toContain(setting)
    }
  })

  test('TLS is added to the proxy and nothing else', () => {
    expect(Object.keys(tls.services)).toEqual(['proxy'])
  })

  test.each(['docker-compose.yml', 'Dockerfile', `${deploy}/systemd/scriptorium.service`])(
    '%s sets variables that exist',
    (path) => {
      expectKnownVariables(path)
    },
  )

  test('every proxy knows the nodes there are', () => {
    expect(upstreams(read(`${deploy}/nginx/nginx.conf`))).toEqual(nodeAddresses)
    expect(upstreams(read(`${deploy}/caddy/Caddyfile`))).toEqual(nodeAddresses)
    expect(Object.keys(compose.services).filter((name) => name.startsWith('node-'))).toHaveLength(3)
  })
})

describe('the Dockerfile', () => {
  test('installs drivers in versions that are locked', () => {
    const { devDependencies } = JSON.parse(read('package.json'))
    const list = /\[(?<names>'.*')\]\.map/.exec(read('Dockerfile'))?.groups?.['names'] ?? ''
    const names = list.split(', ').map((name) => name.slice(1, -1))
    expect(names).toEqual(['@redis/client', 'pg'])
    for (const name of names) expect(devDependencies[name]).toMatch(/^\d+\.\d+\.\d+$/)
  })
})

describe.each(['single', 'cluster'])('kubernetes/%s.yaml', (name) => {
  const path = `${deploy}/kubernetes/${name}.yaml`
  const objects = parse<KubernetesObject>(path)
  const kinds = objects.map(({ kind }) => kind)
  const workload = only(objects.filter(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment'))
  const pod = workload.spec.template.spec
  const [container] = pod.containers

  test('holds what it should, and all of it selects the pods there are', () => {
    const cluster = ['Service', 'Deployment', 'PodDisruptionBudget', 'Ingress']
    expect(kinds).toEqual(name === 'single' ? ['Service', 'StatefulSet'] : cluster)
    const { labels } = workload.spec.template.metadata
    const service = only(objects.filter(({ kind }) => kind === 'Service'))
    expect(service.spec.selector).toEqual(labels)
    for (const { spec } of objects.filter(({ kind }) => kind !== 'Service' && kind !== 'Ingress')) {
      expect(spec.selector.matchLabels).toEqual(labels)
    }
    expect(container.ports).toContainEqual({ name: only(service.spec.ports).targetPort, containerPort: 1234 })
  })

  test('a pod has the time it needs to stop', () => {
    const [, pause] = container.lifecycle.preStop.exec.command
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(pause) + drainSeconds)
  })

  test('what cannot store is not ready, but alive', () => {
    expect(container.readinessProbe.httpGet.path).toBe('/readyz')
    expect(container.livenessProbe.httpGet.path).toBe('/healthz')
  })

  test('a pod may do nothing but serve', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  test('names this version, and variables that exist', () => {
    const { version } = JSON.parse(read('package.json'))
    expect(container.image).toMatch(new RegExp(`/scriptorium:${version}$`))
    expectKnownVariables(path)
  })
})

test('kubernetes: the ingress keeps a document on one node and outlasts the silence of a node', () => {
  const ingress = parse<KubernetesObject>(`${deploy}/kubernetes/cluster.yaml`).at(-1)
  const annotation = (key: string): string | undefined =>
    ingress?.metadata.annotations?.[`nginx.ingress.kubernetes.io/${key}`]
  expect(annotation('upstream-hash-by')).toBe('$uri')
  for (const key of ['proxy-read-timeout', 'proxy-send-timeout']) {
    expect(Number(annotation(key)) * 1000).toBeGreaterThan(3 * defaultLimits.keepAliveMs)
  }
})

describe('systemd/scriptorium.service', () => {
  const unit = read(`${deploy}/systemd/scriptorium.service`)
  const value = (key: string): string | undefined => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1]

  test('starts the program of the package, and gives it the time it needs to stop', () => {
    const { bin } = JSON.parse(read('package.json'))
    expect(value('ExecStart')).toContain(`/scriptorium/${bin.scriptorium} serve`)
    expect(value('KillSignal')).toBe('SIGTERM')
    expect(Number(value('TimeoutStopSec'))).toBeGreaterThan(drainSeconds)
  })

  test('keeps documents where it may write, and nowhere else', () => {
    expect(unit).toContain(`SCRIPTORIUM_DATA_DIR=/var/lib/${String(value('StateDirectory'))}\n`)
    expect(value('ProtectSystem')).toBe('strict')
  })

  const analyze = spawnSync('systemd-analyze', ['--version']).error === undefined
  if (!analyze) process.stderr.write('skipped: systemd understands its unit: systemd-analyze is not installed\n')
  test.skipIf(!analyze)('systemd understands it', () => {
    const directory = mkdtempSync(join(tmpdir(), 'scriptorium-unit-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const file = join(directory, 'scriptorium.service')
    // Whether Node.js is where the unit expects it is this machine's affair.
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath))
    expect(execFileSync('systemd-analyze', ['verify', file], { encoding: 'utf8', stdio: 'pipe' })).toBe('')
  })
})

const caddy = spawnSync('caddy', ['version']).error === undefined
if (!caddy) process.stderr.write('skipped: caddy understands its file: caddy is not installed\n')
test.skipIf(!caddy)('caddy understands its file', () => {
  const args = ['validate', '--adapter', 'caddyfile', '--config', join(root, deploy, 'caddy', 'Caddyfile')]
  expect(spawnSync('caddy', args, { encoding: 'utf8' })).toMatchObject({ status: 0 })
})
