import { Extension } from '@tiptap/core'
import { GapCursor } from '@tiptap/pm/gapcursor'
import type { Command } from '@tiptap/pm/state'

/**
 * Ctrl+End where the text ends with a table or a picture. Browsers lose the caret there; it goes behind, where the next key
 * begins a paragraph.
 */
export const Ends = Extension.create({
  name: 'ends',
  addKeyboardShortcuts() {
    const goBehind = (): boolean => toEnd(this.editor.state, this.editor.view.dispatch)
    return { 'Mod-End': goBehind, 'Mod-ArrowDown': goBehind }
  },
})

const toEnd: Command = ({ doc, tr }, dispatch) => {
  const end = doc.resolve(doc.content.size)
  if (doc.lastChild?.isTextblock !== false || !isGap(end)) return false
  dispatch?.(tr.setSelection(new GapCursor(end)).scrollIntoView())
  return true
}

/** ProseMirror has it, its types do not. */
function isGap(position: unknown): boolean {
  const { valid } = GapCursor as unknown as { readonly valid: (position: unknown) => boolean }
  return valid(position)
}
