import * as Y from 'yjs'
import type { Anchor } from '../surface.ts'

export interface Range {
  readonly from: number
  readonly to: number
}

export function anchorAt(text: Y.Text, { from, to }: Range): Anchor {
  const relative = (index: number): unknown =>
    Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, index))
  return { mode: 'code', from: relative(from), to: relative(to) }
}

/** Null when its words are gone. */
export function rangeOf(text: Y.Text, { mode, from, to }: Anchor): Range | null {
  const range = { from: indexOf(text, from), to: indexOf(text, to) }
  if (mode !== 'code' || range.from === null || range.to === null || range.from >= range.to) return null
  return { from: range.from, to: range.to }
}

/** Where a relative position is now; null when it is in another type, or is none at all. */
export function indexOf(text: Y.Text, position: unknown): number | null {
  if (text.doc === null || typeof position !== 'object' || position === null) return null
  try {
    const relative = Y.createRelativePositionFromJSON(position)
    const absolute = Y.createAbsolutePositionFromRelativePosition(relative, text.doc)
    return absolute?.type === text ? absolute.index : null
  } catch {
    return null // anybody may put anything into their presence
  }
}
