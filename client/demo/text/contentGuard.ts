import type { Schema } from '@tiptap/pm/model'
import { ySyncPluginKey } from '@tiptap/y-tiptap'
import * as Y from 'yjs'
import { findUnknown, findUnknownIn } from './contentCheck.ts'
import type { Unknown } from './contentCheck.ts'

/**
 * Watches what arrives before the editor sees it, and calls `refuse`, once, as soon as there is something the editor does
 * not know. Yjs tells of a transaction here before it tells those who observe the types, so an editor that is taken off in
 * `refuse` has deleted nothing yet.
 *
 * @returns false when there is already; `refuse` has been called then
 */
export function guardContent(fragment: Y.XmlFragment, schema: Schema, refuse: (unknown: Unknown) => void): boolean {
  const { doc } = fragment
  const present = findUnknown(fragment, schema)
  if (present !== undefined) refuse(present)
  if (doc === null || present !== undefined) return false
  const check = (transaction: Y.Transaction): void => {
    const unknown = isOwn(transaction) ? undefined : findUnknownIn(transaction, fragment, schema)
    if (unknown === undefined) return
    doc.off('beforeObserverCalls', check)
    refuse(unknown)
  }
  doc.on('beforeObserverCalls', check)
  return true
}

/** What the editor itself writes, it knows. */
function isOwn({ origin }: Y.Transaction): boolean {
  return origin === ySyncPluginKey || origin instanceof Y.UndoManager
}
