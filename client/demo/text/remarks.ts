import { Extension } from '@tiptap/core'
import type { EditorState, Transaction } from '@tiptap/pm/state'
import { Plugin, PluginKey } from '@tiptap/pm/state'
import { Decoration, DecorationSet } from '@tiptap/pm/view'
import { ySyncPluginKey } from '@tiptap/y-tiptap'
import type { Anchor } from '../surface.ts'
import { rangeOf } from './positions.ts'

interface Marked {
  readonly anchors: readonly Anchor[]
  readonly decorations: DecorationSet
}

const key = new PluginKey<Marked>('remarks')

/** Underlines what has been commented on. The marks are not part of the text: they follow it by its positions. */
export const Remarks = Extension.create({
  name: 'remarks',
  addProseMirrorPlugins: () => [
    new Plugin<Marked>({
      key,
      state: {
        init: () => ({ anchors: [], decorations: DecorationSet.empty }),
        apply: (transaction, marked, _before, state) => next(transaction, marked, state),
      },
      props: { decorations: (state) => key.getState(state)?.decorations },
    }),
  ],
})

/** A transaction that marks these passages and no others. */
export function markRemarks(transaction: Transaction, anchors: readonly Anchor[]): Transaction {
  return transaction.setMeta(key, anchors)
}

function next(transaction: Transaction, marked: Marked, state: EditorState): Marked {
  const anchors = (transaction.getMeta(key) as readonly Anchor[] | undefined) ?? marked.anchors
  // The binding replaces the whole document by what has arrived, which no mapping survives.
  const isForeign = transaction.docChanged && transaction.getMeta(ySyncPluginKey) !== undefined
  if (anchors !== marked.anchors || isForeign) return { anchors, decorations: decorate(state, anchors) }
  if (!transaction.docChanged) return marked
  return { anchors, decorations: marked.decorations.map(transaction.mapping, transaction.doc) }
}

function decorate(state: EditorState, anchors: readonly Anchor[]): DecorationSet {
  const ranges = anchors.flatMap((anchor) => rangeOf(state, anchor) ?? [])
  return DecorationSet.create(
    state.doc,
    ranges.map(({ from, to }) => Decoration.inline(from, to, { class: 'remark' })),
  )
}
