import * as Y from 'yjs'

/** A `Y.Doc` made from a log. `failed`: what Yjs threw on an entry that had to be left out; null when all of it is in. */
export interface Rebuilt {
  readonly doc: Y.Doc
  readonly failed: Error | null
}

/**
 * A `Y.Doc` of what the log holds. An entry on which Yjs throws was harmless when it came and is not any more; it is left
 * out, so that the rest can be served.
 */
export function rebuild(updates: readonly Uint8Array[]): Rebuilt {
  const doc = new Y.Doc()
  try {
    doc.transact(() => {
      for (const update of updates) Y.applyUpdate(doc, update)
    })
    return { doc, failed: null }
  } catch (error) {
    doc.destroy()
    return { doc: rebuildWhatWorks(updates), failed: error instanceof Error ? error : new Error(String(error)) }
  }
}

/** Slow: after every entry that cannot be applied it starts again, since Yjs leaves a document in pieces. */
function rebuildWhatWorks(updates: readonly Uint8Array[]): Y.Doc {
  const usable = [...updates]
  for (;;) {
    const doc = new Y.Doc()
    const culprit = usable.findIndex((update) => !canApply(doc, update))
    if (culprit === -1) return doc
    doc.destroy()
    usable.splice(culprit, 1)
  }
}

/** Whether Yjs keeps something back until what it builds on arrives. */
export function isPending(doc: Y.Doc): boolean {
  return doc.store.pendingStructs !== null || doc.store.pendingDs !== null
}

/** False when Yjs throws; the document is in pieces then. */
export function canApply(doc: Y.Doc, update: Uint8Array): boolean {
  try {
    Y.applyUpdate(doc, update)
    return true
  } catch {
    return false
  }
}
