import type { Editor } from '@tiptap/core'
import { ySyncPluginKey } from '@tiptap/y-tiptap'
import type { ProsemirrorBinding } from '@tiptap/y-tiptap'
import type * as Y from 'yjs'

type Observer = (events: Y.YEvent<Y.XmlText>[], transaction: Y.Transaction) => void

/**
 * Shows what has arrived even where the caret cannot be put back into it. The binding throws when undo, here or elsewhere,
 * takes away the words the caret stood in: the page then shows an old text, and the next key would write that over the new.
 */
export function surviveLostCaret(editor: Editor): void {
  const { binding } = ySyncPluginKey.getState(editor.state) as { readonly binding: ProsemirrorBinding }
  const observe = binding._observeFunction as Observer
  const tryAgain: Observer = (events, transaction) => {
    try {
      observe(events, transaction)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      binding.beforeTransactionSelection = null as never // its types do not know that it may be
      observe(events, transaction)
    }
  }
  binding.type.unobserveDeep(observe as never)
  binding._observeFunction = tryAgain as never
  binding.type.observeDeep(tryAgain as never)
}
