import type { EditorState } from '@tiptap/pm/state'
import {
  absolutePositionToRelativePosition,
  relativePositionToAbsolutePosition,
  ySyncPluginKey,
} from '@tiptap/y-tiptap'
import type { ProsemirrorBinding } from '@tiptap/y-tiptap'
import * as Y from 'yjs'
import type { Anchor } from '../surface.ts'

export interface Range {
  readonly from: number
  readonly to: number
}

interface SyncState {
  readonly doc: Y.Doc
  readonly type: Y.XmlFragment
  readonly binding: ProsemirrorBinding
}

/** What stays where it is while others write around it. */
export function anchorAt(state: EditorState, { from, to }: Range): Anchor | null {
  const sync = syncState(state)
  if (sync === null) return null
  const { type, binding } = sync
  const relative = (position: number): unknown => {
    const found = absolutePositionToRelativePosition(position, type, binding.mapping) as Y.RelativePosition
    return Y.relativePositionToJSON(found)
  }
  return { mode: 'text', from: relative(from), to: relative(to) }
}

/** Where it is now; null when its words are gone. */
export function rangeOf(state: EditorState, anchor: Anchor): Range | null {
  const sync = syncState(state)
  if (sync === null || anchor.mode !== 'text') return null
  const from = absolute(sync, anchor.from)
  const to = absolute(sync, anchor.to)
  if (from === null || to === null || from >= to || to > state.doc.content.size) return null
  return { from, to }
}

/** Null for what others may have written instead of a position, too. */
function absolute({ doc, type, binding }: SyncState, position: unknown): number | null {
  try {
    const relative = Y.createRelativePositionFromJSON(position)
    return relativePositionToAbsolutePosition(doc, type, relative, binding.mapping)
  } catch {
    return null
  }
}

function syncState(state: EditorState): SyncState | null {
  return (ySyncPluginKey.getState(state) as SyncState | undefined) ?? null
}
