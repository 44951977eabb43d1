import { randomFrom } from '../measure/numbers.ts'
import { Cluster } from '../servers/cluster.ts'
import type { ServerKind } from '../servers/serverKind.ts'
import { ManyDocuments } from '../wire/manyDocuments.ts'
import { until, type Due } from './schedule.ts'
import { typedUpdates } from './typists.ts'

/** The same however many documents there are, so that connections do not count. */
const SOCKETS = 100
const PATIENCE_MS = 30_000

function nameOf(document: number): string {
  return `document-${document}`
}

/** Documents open on one node, and what will be written into them. */
export class Library {
  readonly cluster: Cluster
  private readonly sockets: readonly ManyDocuments[]
  private readonly frames: readonly Buffer[][]
  private sent = 0

  private constructor(cluster: Cluster, sockets: readonly ManyDocuments[], frames: readonly Buffer[][]) {
    this.cluster = cluster
    this.sockets = sockets
    this.frames = frames
  }

  static async open(
    kind: ServerKind,
    directory: string,
    { count, chosen }: { readonly count: number; readonly chosen: readonly number[] },
  ): Promise<Library> {
    const perDocument = Array.from({ length: count }, () => 1)
    for (const document of chosen) perDocument[document] = (perDocument[document] ?? 0) + 1
    const frames = perDocument.map((edits, document) =>
      typedUpdates(document, edits).map((update) => ManyDocuments.updateFrame(nameOf(document), update)),
    )
    const cluster = await Cluster.start(kind, directory, 1)
    const sockets: ManyDocuments[] = []
    for (let socket = 0; socket < SOCKETS; socket++) {
      const mine = Array.from({ length: count / SOCKETS }, (_, index) => nameOf(index * SOCKETS + socket))
      sockets.push(await ManyDocuments.open(cluster.port(0), mine))
    }
    return new Library(cluster, sockets, frames)
  }

  get lastTime(): number {
    return Math.max(...this.sockets.map(({ lastTime }) => lastTime))
  }

  get lost(): number {
    return this.sockets.filter(({ closedBy }) => closedBy !== null).length
  }

  /** The next update of a document. */
  write(document: number): void {
    const frame = this.frames[document]?.shift()
    if (frame === undefined) throw new Error(`${nameOf(document)} has no update left`)
    this.sent++
    this.sockets[document % SOCKETS]?.send(frame)
  }

  /** One update for each of these documents, at a steady rate. */
  due(documents: readonly number[], perSecond: number): Due[] {
    const random = randomFrom(documents.length)
    return documents.map((document, index) => ({
      at: ((index + random()) * 1000) / perSecond,
      run: () => {
        this.write(document)
      },
    }))
  }

  /** Everything that was written is saved; the empty answers at the beginning were acknowledged as well. */
  allSaved(): Promise<boolean> {
    const expected = this.sent + this.frames.length
    return until(() => this.sockets.reduce((sum, { acknowledged }) => sum + acknowledged, 0) >= expected, PATIENCE_MS)
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.close()
    await this.cluster.stop()
  }
}
