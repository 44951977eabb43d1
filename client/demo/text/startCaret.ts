import type { Editor } from '@tiptap/core'
import { Selection } from '@tiptap/pm/state'
import type { WebsocketProvider } from '../../index.ts'

/**
 * Places the caret before the first word, and once more when all of the document has come: what arrives in parts pushes it
 * along. Whoever has pressed a key or pointed somewhere by then has it where they want it.
 */
export function startCaret(editor: Editor, provider: WebsocketProvider, container: HTMLElement): void {
  const toStart = (): void => {
    const { doc, tr } = editor.state
    const first = Selection.findFrom(doc.resolve(0), 1, true) // null: there are pictures only
    if (first !== null) editor.view.dispatch(tr.setSelection(first))
  }
  const onSynced = (isSynced: boolean): void => {
    if (!isSynced) return
    stop()
    if (!editor.isDestroyed) toStart()
  }
  const stop = (): void => {
    provider.off('synced', onSynced)
    container.removeEventListener('keydown', stop)
    container.removeEventListener('pointerdown', stop)
  }
  container.addEventListener('keydown', stop)
  container.addEventListener('pointerdown', stop)
  toStart()
  if (!provider.synced) provider.on('synced', onSynced)
}
