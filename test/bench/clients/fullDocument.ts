import * as Y from 'yjs'
import { TEXT } from '../load/typists.ts'
import { loadTrace } from '../load/trace.ts'

/** About 100 kB as an update. */
const BYTES = 100_000
/** So many edits of the trace come to about a kilobyte. */
const STEP = 500

let made: Uint8Array | null = null

/** The beginning of the editing trace, up to 100 kB. */
export function fullDocument(): Uint8Array {
  return (made ??= make())
}

function make(): Uint8Array {
  const doc = new Y.Doc()
  doc.getText(TEXT)
  const { updates } = loadTrace()
  for (let from = 0; from < updates.length; from += STEP) {
    for (const update of updates.slice(from, from + STEP)) Y.applyUpdate(doc, update)
    const state = Y.encodeStateAsUpdate(doc)
    if (state.length >= BYTES) return state
  }
  return Y.encodeStateAsUpdate(doc)
}
