import type { Limits } from '../../shared/limits.ts'
import { walkUpdate } from '../../shared/update/walkUpdate.ts'
import type { Loaded } from '../engine/engine.ts'
import { Content, OURS } from './content.ts'
import type { Flaws } from './content.ts'

/** What two copies of one document lack of each other, as updates; null: nothing. */
export interface Difference {
  /** Here, and not in the log any more. */
  readonly lost: Uint8Array | null
  /** In the log, and not here. */
  readonly news: Uint8Array | null
  /** What is wrong with the log. */
  readonly flaws: Flaws
}

interface Comparison {
  readonly limits: Limits
  /** Told of entries in the log that cannot be read. */
  readonly onLoss: (error: Error) => void
}

/**
 * Compares what we hold with what the log holds now. Neither length nor state vector of a difference tells whether there
 * is one: it always names all deletes. Not while committing.
 */
export function difference(ours: Content, loaded: Loaded, { limits, onLoss }: Comparison): Difference {
  const theirs = new Content(loaded, limits, onLoss)
  const state = { state: ours.whole(), stateVector: ours.committedVector() }
  const mine = new Content({ base: null, snapshot: state, tail: [], head: null, damaged: false }, limits)
  const lost = ours.encode(theirs.committedVector())
  const news = theirs.encode(state.stateVector)
  const flaws = { damaged: theirs.damaged, lossy: theirs.isLossy }
  const result = { lost: knows(theirs, lost) ? null : lost, news: knows(mine, news) ? null : news, flaws }
  theirs.destroy()
  mine.destroy()
  return result
}

/** Only of a `Content` that has admitted nothing yet. */
function knows(content: Content, update: Uint8Array): boolean {
  return content.admit(walkUpdate(update, OURS)) === 'nothing'
}
