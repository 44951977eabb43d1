import { StateEffect, StateField } from '@codemirror/state'
import { Decoration, EditorView } from '@codemirror/view'
import type { DecorationSet } from '@codemirror/view'
import type { Range } from './positions.ts'

/** Marks these passages and no others. */
export const markRemarks = StateEffect.define<readonly Range[]>()

/** Underlines what has been commented on. */
export const remarks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update: (marked, transaction) => {
    const effect = transaction.effects.find((candidate) => candidate.is(markRemarks))
    if (effect === undefined) return marked.map(transaction.changes)
    const length = transaction.newDoc.length
    const ranges = effect.value.filter(({ to }) => to <= length)
    return Decoration.set(
      ranges.map(({ from, to }) => Decoration.mark({ class: 'remark' }).range(from, to)),
      true,
    )
  },
  provide: (field) => EditorView.decorations.from(field),
})
