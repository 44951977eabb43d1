/**
 * A process that appends as fast as it is acknowledged, from several writers to several documents, and compacts now and
 * then. It reports every acknowledgement before it goes on, by a synchronous write, so that what the parent has read was
 * acknowledged, however this process dies. Arguments: directory, durability, first value.
 */
import { writeSync } from 'node:fs'
import type { Cursor, Engine } from '../../server/engine/engine.ts'
import { openLevelEngine } from '../../server/engine/level/levelEngine.ts'
import { updateOf } from './storageFiles.ts'

const [directory = '', durability = 'fsync', first = '0'] = process.argv.slice(2)
const WRITERS = 12
const DOCUMENTS = 4
const COMPACT_EVERY = 40
const RETRY_MS = 10

function report(line: Record<string, unknown>): void {
  const text = `${JSON.stringify(line)}\n`
  for (;;) {
    try {
      writeSync(1, text)
      return
    } catch (thrown) {
      // A pipe whose reader is slow; short writes to a pipe are all or nothing.
      if ((thrown as NodeJS.ErrnoException).code !== 'EAGAIN') throw thrown
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

async function compact(engine: Engine, document: string): Promise<void> {
  const { base, snapshot, tail } = await engine.load(document)
  const upTo: Cursor | undefined = tail.at(-1)?.cursor
  if (upTo === undefined) return
  const state = Buffer.concat([snapshot?.state ?? Buffer.alloc(0), ...tail.map((entry) => entry.update)])
  await engine.compact(document, base, upTo, { state, stateVector: new Uint8Array(1) })
}

async function write(engine: Engine, document: string, value: number): Promise<void> {
  try {
    await engine.append(document, updateOf(value))
    report({ ack: value, document })
    if (value % COMPACT_EVERY === 0) await compact(engine, document)
  } catch (thrown) {
    report({ failed: (thrown as { code?: string }).code })
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

const engine = await openLevelEngine({
  directory,
  durability: durability === 'os' ? 'os' : 'fsync',
  onHealth: ({ state }) => report({ health: state }),
})
report({ ready: true })
// Holds the process open between commits, whatever the timers of the engine do.
process.stdin.resume()
let next = Number(first)
for (let writer = 0; writer < WRITERS; writer++) {
  void (async () => {
    for (;;) {
      next += 1
      await write(engine, `document-${next % DOCUMENTS}`, next)
    }
  })()
}
