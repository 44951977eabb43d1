import type { Editor } from '@tiptap/core'
import * as Y from 'yjs'
import type { Room } from '../room.ts'
import { findUnknown } from '../text/contentCheck.ts'

/** Bytes of a file that is imported; the server takes messages of 16 MiB. */
const MAX_BYTES = 12 * 1024 * 1024

/** A file that cannot be taken; the message is for the reader. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
}

/**
 * Puts a file behind what the document has: Markdown as text, which can be undone; a `.ydoc` by merging it, which brings
 * back what this document once had, and adds what is from another.
 *
 * @throws ImportError
 */
export async function importFile(file: File, editor: Editor, room: Room): Promise<void> {
  if (file.size > MAX_BYTES) throw new ImportError(`“${file.name}” is larger than 12 MB.`)
  if (file.name.toLowerCase().endsWith('.ydoc')) return merge(new Uint8Array(await file.arrayBuffer()), editor, room)
  const { fromMarkdown } = await import('./markdown.ts')
  const { content = [] } = fromMarkdown(await file.text())
  if (content.length === 0) throw new ImportError(`“${file.name}” is empty.`)
  const { state } = editor
  const at = editor.isEmpty ? { from: 0, to: state.doc.content.size } : state.doc.content.size
  editor.chain().focus().insertContentAt(at, content).run()
}

/** Looked at in a document of its own first: what does not fit must not reach the others. */
function merge(update: Uint8Array, editor: Editor, { doc }: Room): void {
  const trial = new Y.Doc()
  try {
    Y.applyUpdate(trial, update)
    const unknown = findUnknown(trial.getXmlFragment('default'), editor.schema)
    if (unknown !== undefined) throw new ImportError(`The file holds “${unknown.name}”, which this page does not know.`)
  } catch (error) {
    if (error instanceof ImportError) throw error
    throw new ImportError('The file is not a Yjs document.', { cause: error })
  } finally {
    trial.destroy()
  }
  Y.applyUpdate(doc, update, 'import')
}
