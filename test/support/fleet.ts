import { expect } from 'vitest'
import { Random } from '../../client/testing/random.ts'
import { message, varUint } from './rawMessages.ts'
import { Cli } from './cli.ts'
import { clientKinds, openClient } from './clients.ts'
import type { Client } from './clients.ts'
import { Collaborator } from './collaborator.ts'
import { eventually } from './eventually.ts'
import { freePort } from './redisServer.ts'

const ROOM = 'fleet'
/** Milliseconds between two edits of one client, on average. */
const EDIT_EVERY_MS = 400

export interface FleetOptions {
  /** What each node gets for `--redis`, so that proxies may stand between. */
  readonly redis: readonly string[]
  readonly clients: number
  /** Environment of each node: how its clock lies, for one. */
  readonly env?: readonly Readonly<Record<string, string>>[]
}

interface Node {
  readonly port: number
  process: Cli
}

/**
 * Server processes around one Redis, clients of all families spread over them that write without a pause, and others
 * that write one thing, are told that it is saved, and are never seen again.
 */
export class Fleet {
  readonly #options: FleetOptions
  readonly #nodes: Node[] = []
  readonly #clients: Client[] = []
  readonly #random = new Random(20_261_120)
  /** What somebody has been told is saved by a client that no longer exists. */
  readonly saved: string[] = []
  #writing: AbortController | null = null
  #work: Promise<void>[] = []
  #written = 0

  private constructor(options: FleetOptions) {
    this.#options = options
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    for (const index of options.redis.keys()) {
      const port = await freePort()
      fleet.#nodes.push({ port, process: fleet.#spawn(index, port) })
    }
    await Promise.all(fleet.#nodes.map(({ process }) => process.listening()))
    for (let index = 0; index < options.clients; index += 1) fleet.#clients.push(fleet.#open(index))
    await eventually(() => fleet.#clients.every((client) => client.synced), 'everybody is in', { within: 30_000 })
    return fleet
  }

  get ports(): readonly number[] {
    return this.#nodes.map(({ port }) => port)
  }

  /** Everybody writes, until `rest`. */
  write(): void {
    const writing = new AbortController()
    this.#writing = writing
    this.#work = [
      ...this.#clients.map((client, index) => this.#writeAs(client, index, writing.signal)),
      this.#visit('y-websocket', writing.signal),
      this.#visit('hocuspocus', writing.signal),
    ]
  }

  /** Nobody writes any more. */
  async rest(): Promise<void> {
    this.#writing?.abort()
    await Promise.all(this.#work)
  }

  async pause(milliseconds: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds))
  }

  async killNode(index: number): Promise<void> {
    await this.#node(index).process.dispose()
  }

  async startNode(index: number): Promise<void> {
    const node = this.#node(index)
    node.process = this.#spawn(index, node.port)
    await node.process.listening()
  }

  signalNode(index: number, signal: NodeJS.Signals): void {
    this.#node(index).process.child.kill(signal)
  }

  /** Resolves when some node has written a log line like this. */
  async logged(pattern: RegExp): Promise<void> {
    await Promise.any(this.#nodes.map(({ process }) => process.line(pattern)))
  }

  /** Somebody on each node overwrites one large value ten times a second, so that each wants to make snapshots. */
  fatten(): () => void {
    const writers = this.#nodes.map((_node, index) => this.#clients[index] as Client)
    const timers = writers.map((client, index) =>
      setInterval(() => client.doc.getMap('fat').set(`key ${index}`, 'x'.repeat(30_000)), 100),
    )
    return () => {
      for (const timer of timers) clearInterval(timer)
    }
  }

  /** One number of a node's `/metrics`, summed over its labels. */
  async metric(index: number, name: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${this.#node(index).port}/metrics`)
    const lines = (await response.text()).split('\n').filter((line) => new RegExp(`^${name}[{ ]`).test(line))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Without a further edit: all the same within 30 s, nothing lost, nothing doubled; and within 45 s no ghosts. */
  async expectConverged(): Promise<void> {
    const seen = new Set(this.#clients.flatMap((client) => entriesOf(client)))
    await eventually(() => this.#agree(), 'all converge', { within: 30_000, detail: () => this.#describe() })
    const entries = entriesOf(this.#clients[0] as Client)
    expect(new Set(entries).size, 'entries are not doubled').toBe(entries.length)
    const present = new Set(entries)
    const lost = [...this.saved, ...seen].filter((entry) => !present.has(entry))
    expect(lost, 'entries that were saved or seen').toEqual([])
    expect(this.saved.length, 'entries of those who came and went').toBeGreaterThan(0)
    await eventually(() => this.#seeOneAnother(), 'no ghosts, and nobody missing', {
      within: 45_000,
      detail: () => this.#clients.map((client) => client.awareness.getStates().size),
    })
  }

  /** A new client on each node finds the same. */
  async expectStored(): Promise<void> {
    const expected = new Set(entriesOf(this.#clients[0] as Client))
    for (const { port } of this.#nodes) {
      const visitor = await Collaborator.open(port, ROOM)
      expect(new Set(visitor.doc.getArray<string>('log').toArray())).toEqual(expected)
      visitor.destroy()
    }
  }

  async dispose(): Promise<void> {
    await this.rest()
    for (const client of this.#clients) client.destroy()
    await Promise.all(this.#nodes.map(({ process }) => process.dispose()))
  }

  #node(index: number): Node {
    const node = this.#nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }

  #spawn(index: number, port: number): Cli {
    const redis = this.#options.redis[index] ?? ''
    const args = ['serve', '--port', String(port), '--redis', redis, '--log-format', 'json', '--log-level', 'debug']
    return new Cli([...args, '--no-demo'], this.#options.env?.[index])
  }

  #open(index: number): Client {
    const kind = clientKinds[index % clientKinds.length] ?? 'y-websocket 3.1'
    const { port } = this.#node(index % this.#nodes.length)
    return openClient(kind, `ws://127.0.0.1:${port}`, ROOM, { presence: { index } })
  }

  async #writeAs(client: Client, index: number, signal: AbortSignal): Promise<void> {
    for (let count = 0; !signal.aborted; count += 1) {
      client.doc.getArray<string>('log').push([`${index}:${this.#written++}`])
      if (count % 5 === 0) client.awareness.setLocalStateField('count', count)
      await this.pause(this.#random.below(2 * EDIT_EVERY_MS))
    }
  }

  /** Comes, writes, waits for the proof, and is gone without a word: again and again. */
  async #visit(protocol: 'y-websocket' | 'hocuspocus', signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const node = this.#random.pick(this.#nodes) as Node
      const entry = `visitor:${this.#written++}`
      if (await isProven(node.port, protocol, entry)) this.saved.push(entry)
      await this.pause(this.#random.below(EDIT_EVERY_MS))
    }
  }

  #agree(): boolean {
    const [first, ...others] = this.#clients.map((client) => entriesOf(client).join())
    return this.#clients.every((client) => client.synced) && others.every((other) => other === first)
  }

  #seeOneAnother(): boolean {
    const living = this.#clients.map((client) => client.doc.clientID).sort((a, b) => a - b)
    return this.#clients.every((client) => {
      const known = [...client.awareness.getStates().keys()].sort((a, b) => a - b)
      return known.join() === living.join()
    })
  }

  #describe(): unknown {
    return this.#clients.map((client) => [client.kind, client.synced, entriesOf(client).length])
  }
}

function entriesOf(client: Client): string[] {
  return client.doc.getArray<string>('log').toArray()
}

/** Whether the server said that the entry is saved before anything went wrong. */
async function isProven(port: number, protocol: 'y-websocket' | 'hocuspocus', entry: string): Promise<boolean> {
  let visitor: Collaborator | null = null
  try {
    visitor = await Collaborator.open(port, ROOM, { protocol })
    const { raw } = visitor
    visitor.doc.getArray<string>('log').push([entry])
    visitor.say(message.probe(varUint(7)))
    const one = visitor
    await visitor.until(() => one.count('probe') === 1 || raw.closeFrame !== null, 'the proof comes')
    return one.count('probe') === 1
  } catch {
    // The node is down, or its storage hangs: then nothing was promised.
    return false
  } finally {
    visitor?.destroy()
  }
}
