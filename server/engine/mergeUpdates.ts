import * as Y from 'yjs'
import type { Snapshot } from './engine.ts'

/**
 * One snapshot of several updates of one document, in any order. Without building the document, so that nothing is lost
 * that Yjs cannot connect, and throws on what is not an update.
 */
export function mergeUpdates(updates: readonly Uint8Array[]): Snapshot {
  const state = Y.mergeUpdates([...updates])
  return { state, stateVector: Y.encodeStateVectorFromUpdate(state) }
}
