import { setTimeout as pause } from 'node:timers/promises'
import { JournalClient, journalOf } from '../integration/journalClient.ts'
import { openClient } from './clients.ts'
import type { Client, ClientKind } from './clients.ts'
import { eventually } from './eventually.ts'
import { RawClient } from './rawClient.ts'
import { elsewhere } from './workersServer.ts'

/** A name that only one of two families has to escape. */
export const DOCUMENT = 'journal/of workers'
const WRITE_EVERY_MS = 2
const kinds: readonly ClientKind[] = ['y-websocket 3.1', 'y-websocket 2', 'hocuspocus 4', 'hocuspocus 3']

interface Survivor {
  readonly client: Client
  readonly written: string[]
}

/**
 * One document that many write to without a pause: real providers, which reconnect and bring what only they have, and
 * clients that note, frame by frame, what the server has promised them.
 */
export class Crowd {
  readonly #port: number
  readonly #survivors: readonly Survivor[]
  readonly #promised = new Set<string>()
  #writers: JournalClient[] = []
  #generation = 0
  #writing: Promise<void> | null = null
  #stopped = false

  private constructor(port: number) {
    this.#port = port
    const url = `ws://127.0.0.1:${port}`
    this.#survivors = kinds.map((kind) => {
      const client = kind.startsWith('hocuspocus')
        ? openClient(kind, `${url}${elsewhere(DOCUMENT)}`, DOCUMENT)
        : openClient(kind, url, encodeURI(DOCUMENT))
      return { client, written: [] }
    })
  }

  static async open(port: number): Promise<Crowd> {
    const crowd = new Crowd(port)
    for (const { client } of crowd.#survivors) await eventually(() => client.synced, `${client.kind} is synced`)
    return crowd
  }

  /** Begins to write, and goes on until `stop`. */
  async start(): Promise<void> {
    this.#generation += 1
    const name = (protocol: string, number: number): string => `${protocol}${number}.${this.#generation}`
    this.#writers = await Promise.all([
      JournalClient.open(name('y', 1), 'y-websocket', this.#port, DOCUMENT),
      JournalClient.open(name('h', 1), 'hocuspocus', this.#port, DOCUMENT),
      ...[2, 3].map(async (number) =>
        JournalClient.over(await RawClient.open(this.#port, elsewhere(DOCUMENT)), {
          name: name('h', number),
          protocol: 'hocuspocus',
          document: DOCUMENT,
        }),
      ),
    ])
    this.#stopped = false
    this.#writing = this.#write()
  }

  /** Resolves when so many more edits have been acknowledged. */
  async acknowledged(count: number): Promise<void> {
    const total = (): number => this.#writers.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
    const before = total()
    await eventually(() => total() >= before + count, `${count} more edits are acknowledged`)
  }

  /** Ends the writing and takes down what was promised; the providers stay. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#writing
    for (const writer of this.#writers) {
      for (const token of [...writer.acknowledged, ...writer.seen]) this.#promised.add(token)
      writer.destroy()
    }
  }

  /** Writers that have lost their connection. */
  get gone(): number {
    return this.#writers.filter(({ isGone }) => isGone).length
  }

  get promised(): ReadonlySet<string> {
    return this.#promised
  }

  /** Of what was promised. */
  missingIn(journal: readonly string[]): readonly string[] {
    const present = new Set(journal)
    return [...this.#promised].filter((token) => !present.has(token))
  }

  /**
   * Waits until the providers and a newcomer agree, with everything the providers ever wrote; what was promised and is
   * missing then, or is there twice.
   */
  async broken(): Promise<{ readonly lost: readonly string[]; readonly twice: number }> {
    const newcomer = await JournalClient.open('newcomer', 'hocuspocus', this.#port, DOCUMENT)
    const journals = (): string[][] =>
      [newcomer, ...this.#survivors.map(({ client }) => client)].map(({ doc }) => journalOf(doc))
    const written = this.#survivors.flatMap((survivor) => survivor.written)
    await eventually(
      () => {
        const [first = [], ...others] = journals()
        const present = new Set(first)
        const same = others.every((journal) => journal.length === first.length && journal.join() === first.join())
        return same && written.every((token) => present.has(token))
      },
      'everybody has the same, with all that the providers wrote',
      { within: 20_000, detail: () => journals().map((journal) => journal.length) },
    )
    const [journal = []] = journals()
    newcomer.destroy()
    return { lost: this.missingIn(journal), twice: journal.length - new Set(journal).size }
  }

  dispose(): void {
    this.#stopped = true
    for (const { client } of this.#survivors) client.destroy()
    for (const writer of this.#writers) writer.destroy()
  }

  async #write(): Promise<void> {
    while (!this.#stopped) {
      for (const writer of this.#writers) writer.write()
      for (const { client, written } of this.#survivors) {
        const token = `${client.kind}:${written.length}`
        written.push(token)
        client.doc.getArray<string>('journal').push([token])
      }
      await pause(WRITE_EVERY_MS)
    }
  }
}
