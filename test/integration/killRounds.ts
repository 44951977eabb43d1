import { rm } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import * as Y from 'yjs'
import { createServer } from '../../server/server.ts'
import { Cli } from '../support/cli.ts'
import { openClient } from '../support/clients.ts'
import type { Client } from '../support/clients.ts'
import { eventually } from '../support/eventually.ts'
import { temporaryDirectory } from '../support/testServer.ts'
import { JournalClient, journalOf } from './journalClient.ts'

const DOCUMENT = 'journal/of kills'
/** Milliseconds of load before the kill: from "just connected" to "compaction has begun". */
const LONGEST_LIFE_MS = 400
const WRITE_EVERY_MS = 2

/** mulberry32: small, seeded, good enough to choose instants. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface KillRun {
  readonly rounds: number
  readonly seed: number
  readonly durability: 'fsync' | 'os'
}

/** Totals, so that a test can insist that there was something to lose. */
export interface KillReport {
  promised: number
  /** Edits of surviving providers that were not stored when the server died. */
  onlyOnClients: number
}

/**
 * Load, SIGKILL at a random instant, start again on the same directory, compare with what clients were promised; many
 * times on one directory. Two providers live through all of it and must end with everything they ever wrote.
 */
export async function runKills({ rounds, seed, durability }: KillRun): Promise<KillReport> {
  const directory = await temporaryDirectory()
  const random = randomFrom(seed)
  const promised = new Set<string>()
  const report: KillReport = { promised: 0, onlyOnClients: 0 }
  const survivors: Survivor[] = []
  let port = 0
  let cli: Cli | null = null
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const where = `seed ${String(seed)}, round ${String(round)}`
      cli = new Cli(['serve', directory, '--port', String(port), '--durability', durability, '--no-demo'])
      ;({ port } = await cli.listening())
      if (round === 1) survivors.push(new Survivor('y-websocket 3.1', port), new Survivor('hocuspocus 4', port))
      await expectConverged(survivors, port, where)
      await liveAndDie({ cli, port, round, random, promised, survivors })
      const stored = await storedJournal(directory)
      expectPromisesKept(stored, promised, where)
      const present = new Set(stored)
      for (const { written } of survivors) report.onlyOnClients += written.filter((token) => !present.has(token)).length
    }
    report.promised = promised.size
    return report
  } finally {
    for (const survivor of survivors) survivor.client.destroy()
    await cli?.dispose()
    await rm(directory, { recursive: true, force: true })
  }
}

/** A real provider that writes through every crash and reconnects by itself. */
class Survivor {
  readonly client: Client
  readonly written: string[] = []

  constructor(kind: 'y-websocket 3.1' | 'hocuspocus 4', port: number) {
    const room = kind === 'hocuspocus 4' ? DOCUMENT : encodeURI(DOCUMENT)
    this.client = openClient(kind, `ws://127.0.0.1:${String(port)}`, room)
  }

  write(): void {
    const token = `${this.client.kind}:${String(this.written.length)}`
    this.written.push(token)
    this.client.doc.getArray<string>('journal').push([token])
  }
}

interface Life {
  readonly cli: Cli
  readonly port: number
  readonly round: number
  readonly random: () => number
  readonly promised: Set<string>
  readonly survivors: readonly Survivor[]
}

async function liveAndDie({ cli, port, round, random, promised, survivors }: Life): Promise<void> {
  const writers = await Promise.all([
    JournalClient.open(`y${String(round)}`, 'y-websocket', port, DOCUMENT),
    JournalClient.open(`h${String(round)}`, 'hocuspocus', port, DOCUMENT),
    JournalClient.open(`p${String(round)}`, 'hocuspocus', port, DOCUMENT),
  ])
  const end = performance.now() + random() * LONGEST_LIFE_MS
  while (performance.now() < end) {
    for (const writer of writers) if (random() < 0.7) writer.write()
    for (const survivor of survivors) if (random() < 0.3) survivor.write()
    await pause(WRITE_EVERY_MS)
  }
  cli.child.kill('SIGKILL')
  await cli.finished
  // What was under way to us when it died counts: it had left the server.
  await eventually(() => writers.every((writer) => writer.isGone), 'all sockets are gone')
  for (const writer of writers) {
    for (const token of [...writer.acknowledged, ...writer.seen]) promised.add(token)
    writer.destroy()
  }
}

/** What is stored, read by a server without clients: nobody can bring back what was lost. */
async function storedJournal(directory: string): Promise<string[]> {
  const server = createServer({ dataDir: directory, logLevel: 'silent', metrics: false })
  try {
    await server.ready()
    const doc = new Y.Doc()
    Y.applyUpdate(doc, await server.documents.read(DOCUMENT))
    return journalOf(doc)
  } finally {
    await server.close()
  }
}

/** Everything promised is there, nothing twice. */
function expectPromisesKept(stored: readonly string[], promised: ReadonlySet<string>, where: string): void {
  const present = new Set(stored)
  expect(stored.length, `${where}: something is there twice`).toBe(present.size)
  const lost = [...promised].filter((token) => !present.has(token))
  expect(lost, `${where}: promised and lost`).toEqual([])
}

/** The survivors reconnect, bring what only they still had, and agree with a newcomer. */
async function expectConverged(survivors: readonly Survivor[], port: number, where: string): Promise<void> {
  const newcomer = await JournalClient.open('newcomer', 'hocuspocus', port, DOCUMENT)
  const expected = survivors.flatMap((survivor) => survivor.written)
  for (const doc of [newcomer.doc, ...survivors.map(({ client }) => client.doc)]) {
    await eventually(() => {
      const journal = journalOf(doc)
      const present = new Set(journal)
      return present.size === journal.length && expected.every((token) => present.has(token))
    }, `${where}: everybody has what the survivors wrote, once`)
  }
  newcomer.destroy()
}
