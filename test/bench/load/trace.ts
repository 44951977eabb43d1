import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { randomFrom } from '../measure/numbers.ts'
import { clientId, TEXT } from './typists.ts'

/** Position, number of characters deleted there, text inserted there. */
type Patch = readonly [number, number, string]

export interface Trace {
  readonly source: string
  /** One Yjs update per patch, by one client. */
  readonly updates: readonly Uint8Array[]
  /** The whole document. */
  readonly state: Uint8Array
}

const GENERATED_EDITS = 260_000
const DELETE_SHARE = 0.3
const JUMP_SHARE = 0.02

function tracePath(): string {
  return (
    process.env['BENCH_TRACE'] ??
    join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'data', 'automerge-paper.json.gz')
  )
}

/** Someone typing runs of characters, deleting some of them again, and now and then moving elsewhere. */
function* generatedPatches(): Generator<Patch> {
  const random = randomFrom(3)
  let length = 0
  let caret = 0
  for (let i = 0; i < GENERATED_EDITS; i++) {
    if (random() < JUMP_SHARE) caret = Math.floor(random() * (length + 1))
    if (caret > 0 && random() < DELETE_SHARE) {
      caret--
      length--
      yield [caret, 1, '']
    } else {
      yield [caret, 0, String.fromCodePoint(97 + Math.floor(random() * 26))]
      caret++
      length++
    }
  }
}

function recordedPatches(path: string): Patch[] {
  const trace = JSON.parse(gunzipSync(readFileSync(path)).toString('utf8')) as {
    readonly txns: readonly { readonly patches: readonly Patch[] }[]
  }
  return trace.txns.flatMap((txn) => txn.patches)
}

/** The recorded trace (`BENCH_TRACE`, or the one beside the project) or, without one, a generated one of the same shape. */
export function loadTrace(): Trace {
  const path = tracePath()
  const recorded = existsSync(path)
  const doc = new Y.Doc()
  doc.clientID = clientId(0)
  const text = doc.getText(TEXT)
  const updates: Uint8Array[] = []
  doc.on('update', (update: Uint8Array) => {
    updates.push(update)
  })
  for (const [position, deleted, inserted] of recorded ? recordedPatches(path) : generatedPatches()) {
    doc.transact(() => {
      if (deleted > 0) text.delete(position, deleted)
      if (inserted !== '') text.insert(position, inserted)
    })
  }
  const state = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return { source: recorded ? basename(path) : 'generated', updates, state }
}
