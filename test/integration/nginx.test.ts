import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket } from 'ws'
import { Cli } from '../support/cli.ts'
import { clientKinds, openClient, textOf, write } from '../support/clients.ts'
import type { Client, ClientKind, ClientOptions } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/freePort.ts'
import { nginxMissing, NginxServer } from '../support/nginxServer.ts'
import type { NginxOptions } from '../support/nginxServer.ts'
import { redisMissing, RedisServer } from '../support/redisServer.ts'
import { TestServer } from '../support/testServer.ts'

async function startNginx(options: NginxOptions): Promise<NginxServer> {
  const nginx = await NginxServer.start(options)
  onTestFinished(() => nginx.dispose())
  return nginx
}

async function startNode(options: Parameters<typeof TestServer.start>[0] = {}): Promise<TestServer> {
  const server = await TestServer.start({ durability: 'memory', ...options })
  onTestFinished(() => server.dispose())
  return server
}

function open(kind: ClientKind, url: string, room: string, options?: ClientOptions): Client {
  const client = openClient(kind, url, room, options)
  onTestFinished(() => client.destroy())
  return client
}

/** How evenly depends on the ports, which are other ones each time. */
function expectSpread(nodes: readonly TestServer[]): void {
  const busy = nodes.filter(({ server }) => server.documents.size > 0)
  expect(busy.length).toBeGreaterThan(1)
}

/** The busiest node, and the others. */
function byLoad(nodes: readonly TestServer[]): {
  readonly busiest: TestServer
  readonly others: readonly TestServer[]
} {
  const [busiest, ...others] = nodes.toSorted((left, right) => right.server.documents.size - left.server.documents.size)
  if (busiest === undefined) throw new Error('there are no nodes')
  return { busiest, others }
}

const skipped = nginxMissing === null ? '' : ` (skipped: ${nginxMissing})`

describe.skipIf(nginxMissing !== null)(`nginx with the configuration we ship${skipped}`, () => {
  test('editors of every kind meet through it', async () => {
    const node = await startNode()
    const nginx = await startNginx({ nodes: [node.port] })
    const clients = clientKinds.map((kind) => open(kind, nginx.url, 'room/ü 1'))
    await eventually(() => clients.every((client) => client.synced), 'all are synced')
    for (const client of clients) write(client, `<${client.kind}>`)
    const complete = (text: string): boolean => clientKinds.every((kind) => text.includes(`<${kind}>`))
    await eventually(() => clients.every((client) => complete(textOf(client))), 'all have everything')
    expect(clients.map((client) => client.sockets.length)).toEqual(clients.map(() => 1))
    expect(node.server.documents.names()).toEqual(['room/ü 1'])
  })

  test('an idle editor stays connected past the timeouts, because the node keeps it alive', async () => {
    const node = await startNode({ limits: { keepAliveMs: 900, pingAfterMs: 60_000 } })
    const nginx = await startNginx({ nodes: [node.port], timeout: 2 })
    const idle = (['y-websocket 3.1', 'hocuspocus 4'] as const).map((kind) => {
      const client = open(kind, nginx.url, 'room', { presence: null })
      return { client, heard: 0 }
    })
    await eventually(() => idle.every(({ client }) => client.synced), 'all are synced')
    for (const one of idle) one.client.sockets[0]?.on('message', () => (one.heard += 1))
    await eventually(() => idle.every(({ heard }) => heard >= 6), 'six seconds of keep-alives arrive', {
      within: 30_000,
    })
    expect(idle.map(({ client }) => client.sockets.length)).toEqual([1, 1])
  })

  test('its timeouts end what the node does not keep alive', async () => {
    const node = await startNode({ limits: { keepAliveMs: 60_000, pingAfterMs: 60_000 } })
    const nginx = await startNginx({ nodes: [node.port], timeout: 1 })
    const client = open('y-websocket 3.1', nginx.url, 'room', { presence: null })
    await eventually(() => client.synced, 'it is synced')
    await eventually(() => client.sockets.length > 1, 'it had to come back', { within: 30_000 })
  })

  test('the shipped timeouts are well above the longest silence of a node', async () => {
    const shipped = await readFile(join(import.meta.dirname, '../../server/deploy/nginx/nginx.conf'), 'utf8')
    const timeouts = [...shipped.matchAll(/(?:read|send)_timeout (?<seconds>\d+)s/g)]
    expect(timeouts).toHaveLength(3)
    const { defaultLimits } = await import('../../shared/limits.ts')
    for (const { groups } of timeouts) {
      expect(Number(groups?.['seconds']) * 1000).toBeGreaterThan(3 * defaultLimits.keepAliveMs)
    }
  })

  test('the editors of one document meet on one node, and documents are spread', async () => {
    const nodes = await Promise.all([startNode(), startNode(), startNode()])
    const nginx = await startNginx({ nodes: nodes.map(({ port }) => port) })
    const rooms = Array.from({ length: 24 }, (_, index) => `plan ${String(index)}/ä`)
    // The query is not part of it: tokens differ from editor to editor.
    const clients = rooms.flatMap((room) => [
      open('y-websocket 3.1', nginx.url, room, { token: `one ${room}` }),
      open('y-websocket 1', nginx.url, room, { token: 'two' }),
    ])
    await eventually(() => clients.every((client) => client.synced), 'all are synced')
    const served = nodes.flatMap(({ server }) => server.documents.names())
    expect(served.toSorted()).toEqual(rooms.toSorted())
    expectSpread(nodes)
  })

  test('editors that do not name their document in the address are spread too', async () => {
    const nodes = await Promise.all([startNode(), startNode(), startNode()])
    const nginx = await startNginx({ nodes: nodes.map(({ port }) => port) })
    const clients = Array.from({ length: 24 }, (_, index) => open('hocuspocus 4', nginx.url, `plan ${String(index)}`))
    await eventually(() => clients.every((client) => client.synced), 'all are synced')
    expectSpread(nodes)
  })

  test('who is refused by a node that stops or is full gets another, without noticing', async () => {
    const [full, free] = [await startNode({ maxConnections: 1 }), await startNode()]
    const nginx = await startNginx({ nodes: [full.port, free.port] })
    const clients = Array.from({ length: 12 }, (_, index) =>
      open('y-websocket 3.1', nginx.url, `plan-${String(index)}`),
    )
    await eventually(() => clients.every((client) => client.synced), 'all are synced')
    expect(clients.flatMap(({ sockets }) => sockets)).toHaveLength(clients.length)
    expect(full.server.documents.size).toBe(1)
  })

  test('when a node goes, only its documents move; when it is back, they return to it at once', async () => {
    const nodes = await Promise.all([startNode(), startNode(), startNode()])
    const nginx = await startNginx({ nodes: nodes.map(({ port }) => port) })
    const rooms = Array.from({ length: 24 }, (_, index) => `plan-${String(index)}`)
    const clients = rooms.map((room) => open('y-websocket 3.1', nginx.url, room))
    await eventually(() => clients.every((client) => client.synced), 'all are synced')
    const { busiest: gone, others } = byLoad(nodes)
    const moving = gone.server.documents.names()
    const staying = others.map(({ server }) => server.documents.names())
    await gone.server.close()
    const elsewhere = (): string[] => others.flatMap(({ server }) => server.documents.names())
    await eventually(() => elsewhere().length === rooms.length, 'all documents are open on the nodes that are left')
    await eventually(() => clients.every((client) => client.synced), 'all are synced again')
    expect(others.map(({ server }) => server.documents.names())).toEqual(
      staying.map((names) => expect.arrayContaining(names)),
    )
    expect(clients.filter((client) => client.sockets.length > 1).length).toBe(moving.length)
    const back = await startNode({ port: gone.port })
    const newcomers = rooms.map((room) => open('y-websocket 3.1', nginx.url, room))
    await eventually(() => newcomers.every((client) => client.synced), 'newcomers are synced')
    expect(back.server.documents.names().toSorted()).toEqual(moving.toSorted())
  })

  test('when a node is taken out of the configuration, documents stay where they are unless they were there', async () => {
    const nodes = await Promise.all([startNode(), startNode(), startNode()])
    const ports = nodes.map(({ port }) => port)
    const nginx = await startNginx({ nodes: ports })
    const rooms = Array.from({ length: 24 }, (_, index) => `plan-${String(index)}`)
    const clients = rooms.map((room) => open('y-websocket 3.1', nginx.url, room))
    await eventually(() => clients.every((client) => client.synced), 'all are synced')
    const { busiest: removed, others } = byLoad(nodes)
    const staying = others.map(({ server }) => server.documents.names())
    await nginx.reload({ nodes: ports.filter((port) => port !== removed.port) })
    const moved = (): boolean => others.flatMap(({ server }) => server.documents.names()).length === rooms.length
    await eventually(async () => {
      const round = rooms.map((room) => open('y-websocket 3.1', nginx.url, room))
      await eventually(() => round.every((client) => client.synced), 'all are synced')
      return moved()
    }, 'the new configuration holds')
    expect(others.map(({ server }) => server.documents.names())).toEqual(
      staying.map((names) => expect.arrayContaining(names)),
    )
    expect(removed.server.documents.size).toBeGreaterThan(0)
  })

  test('metrics are not for everybody, but a document may have that name', async () => {
    const node = await startNode({ metrics: true })
    const nginx = await startNginx({ nodes: [node.port] })
    expect((await fetch(`${nginx.httpUrl}/metrics`)).status).toBe(403)
    expect((await fetch(`${nginx.httpUrl}/readyz`)).status).toBe(200)
    const client = open('y-websocket 3.1', nginx.url, 'metrics', { token: 'a-secret-token' })
    await eventually(() => client.synced, 'it is synced')
    client.destroy()
    await eventually(async () => (await nginx.accesses()).includes('"GET /metrics" 101'), 'the WebSocket is logged')
    expect(await nginx.accesses()).not.toContain('a-secret-token')
  })

  test('a reload lets open connections be', async () => {
    const nodes = await Promise.all([startNode(), startNode()])
    const ports = nodes.map(({ port }) => port)
    const nginx = await startNginx({ nodes: ports })
    const [first, second] = [open('y-websocket 3.1', nginx.url, 'room'), open('y-websocket 3.1', nginx.url, 'room')]
    await eventually(() => first.synced && second.synced, 'both are synced')
    const elsewhere = nodes.find(({ server }) => server.documents.size === 0)
    await nginx.reload({ nodes: [elsewhere?.port ?? 0] })
    const newcomer = (): Client => open('y-websocket 3.1', nginx.url, 'other')
    await eventually(async () => {
      const client = newcomer()
      await eventually(() => client.synced, 'the newcomer is synced')
      return elsewhere?.server.documents.names().includes('other') === true
    }, 'the new configuration holds')
    write(first, 'still here')
    await eventually(() => textOf(second) === 'still here', 'the edit arrives')
    expect([...first.sockets, ...second.sockets]).toHaveLength(2)
  })

  test('TLS: editors over wss, everybody else is sent there', async () => {
    const node = await startNode()
    const tls = await selfSigned()
    const nginx = await startNginx({ nodes: [node.port], tls })
    const socket = new WebSocket(`wss://localhost:${String(nginx.tlsPort)}/room`, { ca: tls.certificate })
    onTestFinished(() => socket.terminate())
    const answered = new Promise<Buffer>((resolve, reject) => {
      socket.on('message', (data: Buffer) => resolve(data))
      socket.on('error', reject)
    })
    socket.on('open', () => socket.send(Buffer.from([0, 0, 1, 0])))
    expect([...(await answered).subarray(0, 2)]).toEqual([0, 0])
    expect(await statusOf(`https://localhost:${String(nginx.tlsPort)}/readyz`, tls.certificate)).toEqual([
      200,
      undefined,
    ])
    expect(await statusOf(`http://localhost:${String(nginx.port)}/a?b`)).toEqual([308, 'https://localhost/a?b'])
  })
})

const rollingSkipped = nginxMissing ?? redisMissing
const rollingTitle = `nginx, three nodes and Redis${rollingSkipped === null ? '' : ` (skipped: ${rollingSkipped})`}`

describe.skipIf(rollingSkipped !== null)(rollingTitle, () => {
  test('the nodes are restarted one after the other under load, and no edit is lost or doubled', async () => {
    const redis = await RedisServer.start()
    onTestFinished(() => redis.dispose())
    const ports = [await freePort(), await freePort(), await freePort()]
    const nginx = await startNginx({ nodes: ports })
    const nodes = ports.map((port) => startProcess(port, redis.url))
    onTestFinished(() => Promise.all(nodes.map((node) => node.dispose())).then(() => undefined))
    await Promise.all(nodes.map((node) => node.listening()))
    const editors = Array.from({ length: 14 }, (_, index) => new Editor(nginx.url, index))
    onTestFinished(() => {
      for (const editor of editors) editor.stop()
    })
    await eventually(() => editors.every(({ client }) => client.synced), 'all are synced', { within: 20_000 })
    for (const editor of editors) editor.start()
    for (const [index, port] of ports.entries()) {
      await eventuallyMoved(editors)
      nodes[index]?.child.kill('SIGTERM')
      expect(await nodes[index]?.finished).toMatchObject({ code: 0 })
      await eventuallyMoved(editors)
      nodes[index] = startProcess(port, redis.url)
      await nodes[index].listening()
    }
    await eventuallyMoved(editors)
    for (const editor of editors) editor.rest()
    await eventually(() => editors.every((editor) => editor.lacks(editors).length === 0), 'all have everything', {
      within: 20_000,
      detail: () => editors.map((editor) => editor.describe(editors)),
    })
    for (const editor of editors) expect(new Set(editor.entries).size).toBe(editor.entries.length)
    const newcomers = [0, 1].map((index) => new Editor(nginx.url, index))
    onTestFinished(() => {
      for (const newcomer of newcomers) newcomer.stop()
    })
    await eventually(() => newcomers.every((one) => one.lacks(editors).length === 0), 'newcomers find everything')
  }, 120_000)
})

function startProcess(port: number, redis: string): Cli {
  return new Cli(['serve', '--port', String(port), '--redis', redis, '--log-format', 'json', '--no-demo'])
}

/** Everybody has heard of further edits of others. */
async function eventuallyMoved(editors: readonly Editor[]): Promise<void> {
  const before = editors.map((editor) => editor.heard)
  const moved = (editor: Editor, index: number): boolean => editor.heard > (before[index] ?? 0) + 20
  await eventually(() => editors.every(moved), 'everybody hears of further edits', { within: 20_000 })
}

/** Somebody in one of two documents who writes without a pause. */
class Editor {
  readonly client: Client
  readonly #room: number
  readonly #written: string[] = []
  readonly #name: number
  #timer: NodeJS.Timeout | undefined

  constructor(url: string, index: number) {
    this.#name = index
    this.#room = index % 2
    const kind = clientKinds[index % clientKinds.length] ?? 'y-websocket 3.1'
    this.client = openClient(kind, url, `rolling-${String(this.#room)}`)
  }

  get entries(): string[] {
    return this.client.doc.getArray<string>('log').toArray()
  }

  /** How many of them others have written. */
  get heard(): number {
    return this.entries.filter((entry) => !entry.startsWith(`${String(this.#name)}:`)).length
  }

  start(): void {
    this.#timer = setInterval(() => {
      const entry = `${String(this.#name)}:${String(this.#written.length)}`
      this.#written.push(entry)
      this.client.doc.getArray<string>('log').push([entry])
    }, 40)
  }

  /** Writes no more. */
  rest(): void {
    clearInterval(this.#timer)
  }

  stop(): void {
    this.rest()
    this.client.destroy()
  }

  /** What the editors of its document have written and it does not have. */
  lacks(editors: readonly Editor[]): string[] {
    const found = new Set(this.entries)
    const together = editors.filter((editor) => editor.#room === this.#room)
    return together.flatMap((editor) => editor.#written.filter((entry) => !found.has(entry)))
  }

  describe(editors: readonly Editor[]): unknown {
    const { kind, synced, sockets } = this.client
    const missing = this.lacks(editors)
    return {
      kind,
      name: this.#name,
      synced,
      sockets: sockets.length,
      missing: missing.length,
      some: missing.slice(0, 5),
    }
  }
}

async function selfSigned(): Promise<{ certificate: string; key: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'scriptorium-tls-'))
  try {
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '1']
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', certificate, ...subject], {
      stdio: 'pipe',
    })
    return { certificate: await readFile(certificate, 'utf8'), key: await readFile(key, 'utf8') }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function statusOf(url: string, ca?: string): Promise<[number | undefined, string | undefined]> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith('https') ? httpsGet : httpGet
    get(url, { ...(ca === undefined ? {} : { ca }), agent: false }, (response) => {
      response.resume()
      resolve([response.statusCode, response.headers.location])
    }).on('error', reject)
  })
}
