import { pino } from 'pino'
import { expect, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { MemoryEngine } from '../../server/engine/memory/memoryEngine.ts'
import type { Protocol } from '../../server/observer.ts'
import type { ServerOptions } from '../../server/server.ts'
import { Collaborator } from './collaborator.ts'
import type { CollaboratorOptions } from './collaborator.ts'
import { RawClient } from './rawClient.ts'
import { message, varUint, wires } from './rawMessages.ts'
import { TestServer } from './testServer.ts'

/** The document that is attacked, and another one beside it. */
export const ROOM = 'room'
const ELSEWHERE = 'elsewhere'

export type LogLine = Readonly<Record<string, unknown>>

interface Pair {
  readonly writer: Collaborator
  readonly reader: Collaborator
}

/**
 * A server with honest people in it: two in the document that is attacked (one per protocol), two in another one.
 * After every attack they must still be able to work.
 */
export class HostileRoom {
  readonly host: TestServer
  /** What is stored, read behind the server's back. */
  readonly storage: MemoryEngine
  readonly lines: LogLine[]
  readonly here: Pair
  readonly elsewhere: Pair
  readonly #cleanup: (() => void)[]
  #edits = 0

  private constructor(
    parts: Pick<HostileRoom, 'host' | 'storage' | 'lines' | 'here' | 'elsewhere'>,
    cleanup: (() => void)[],
  ) {
    this.host = parts.host
    this.storage = parts.storage
    this.lines = parts.lines
    this.here = parts.here
    this.elsewhere = parts.elsewhere
    this.#cleanup = cleanup
  }

  /** Everything is taken down when the test is over. */
  static async open(options: Partial<ServerOptions> = {}): Promise<HostileRoom> {
    const lines: LogLine[] = []
    const write = (line: string): void => void lines.push(JSON.parse(line) as LogLine)
    const storage = new MemoryEngine()
    const host = await TestServer.start({
      engine: storage,
      metrics: true,
      logger: pino({ level: 'debug' }, { write }),
      ...options,
    })
    const cleanup: (() => void)[] = []
    onTestFinished(async () => {
      for (const undo of cleanup) undo()
      await host.dispose()
    })
    const open = async (document: string, protocol: Protocol): Promise<Collaborator> => {
      const one = await Collaborator.open(host.port, document, { protocol })
      cleanup.push(() => one.destroy())
      return one
    }
    const pair = async (document: string): Promise<Pair> => ({
      writer: await open(document, 'y-websocket'),
      reader: await open(document, 'hocuspocus'),
    })
    return new HostileRoom({ host, storage, lines, here: await pair(ROOM), elsewhere: await pair(ELSEWHERE) }, cleanup)
  }

  get port(): number {
    return this.host.port
  }

  /** A client in the attacked document. */
  async join(protocol: Protocol, options: CollaboratorOptions = {}): Promise<Collaborator> {
    const one = await Collaborator.open(this.port, ROOM, { ...options, protocol })
    this.#cleanup.push(() => one.destroy())
    return one
  }

  async open(path: string): Promise<RawClient> {
    const client = await RawClient.open(this.port, path)
    this.#cleanup.push(() => client.destroy())
    return client
  }

  /** A socket that speaks this protocol and has said its first word about the attacked document. */
  async attacker(protocol: Protocol): Promise<RawClient> {
    const wire = wires[protocol]
    const client = await this.open(wire.path(ROOM))
    if (protocol === 'hocuspocus') client.send(wire.frame(ROOM, message.auth('t')))
    client.send(wire.frame(ROOM, message.step1(varUint(0))))
    await client.until(() => client.messages.length >= 2, 'the attacker is in')
    return client
  }

  /** Both pairs work: an edit arrives, in both directions and across protocols. */
  async staysUp(): Promise<void> {
    this.#edits += 1
    const mark = `<${String(this.#edits)}>`
    for (const { writer, reader } of [this.here, this.elsewhere]) {
      writer.type(mark)
      await reader.until(() => reader.text.includes(mark), `edit ${mark} arrives`)
      reader.type(`/${mark}`)
      await writer.until(() => writer.text.includes(`/${mark}`), `edit /${mark} arrives`)
    }
  }

  /** The attacked document as it is stored. */
  async stored(document = ROOM): Promise<Y.Doc> {
    const doc = new Y.Doc()
    const { snapshot, tail } = await this.storage.load(document)
    if (snapshot !== null) Y.applyUpdate(doc, snapshot.state)
    for (const { update } of tail) Y.applyUpdate(doc, update)
    return doc
  }

  /** Everybody works, and nobody, nor the storage, has anything of these clients, nor anything that is pending. */
  async knowsNothingOf(...clients: readonly number[]): Promise<void> {
    await this.staysUp()
    const read = new Y.Doc()
    Y.applyUpdate(read, await this.host.server.documents.read(ROOM))
    for (const doc of [this.here.writer.doc, this.here.reader.doc, read, await this.stored()]) {
      const known = Y.decodeStateVector(Y.encodeStateVector(doc))
      for (const client of clients) expect(known.has(client)).toBe(false)
      expect(doc.store.pendingStructs).toBeNull()
      expect(doc.store.pendingDs).toBeNull()
    }
  }

  /** One number of `/metrics`: the first line that begins with this. */
  async metric(prefix: string): Promise<number> {
    const response = await fetch(`http://127.0.0.1:${String(this.port)}/metrics`)
    const line = (await response.text()).split('\n').find((line) => line.startsWith(prefix))
    return line === undefined ? 0 : Number(line.slice(line.lastIndexOf(' ') + 1))
  }

  /** Log lines about connections closed for what they sent. */
  get rejections(): LogLine[] {
    return this.lines.filter((line) => line['msg'] === 'closed a connection for what it sent')
  }
}
