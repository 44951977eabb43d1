import type { AnyExtension } from '@tiptap/core'
import { Blockquote } from '@tiptap/extension-blockquote'
import { Code } from '@tiptap/extension-code'
import { CodeBlock } from '@tiptap/extension-code-block'
import { Collaboration } from '@tiptap/extension-collaboration'
import { Document } from '@tiptap/extension-document'
import { HardBreak } from '@tiptap/extension-hard-break'
import { Heading } from '@tiptap/extension-heading'
import { HorizontalRule } from '@tiptap/extension-horizontal-rule'
import { ListKit } from '@tiptap/extension-list'
import { Paragraph } from '@tiptap/extension-paragraph'
import { TableKit } from '@tiptap/extension-table'
import { Text } from '@tiptap/extension-text'
import { Dropcursor } from '@tiptap/extensions/drop-cursor'
import { Gapcursor } from '@tiptap/extensions/gap-cursor'
import { Placeholder } from '@tiptap/extensions/placeholder'
import type { Room } from '../room.ts'
import { Carets } from './carets.ts'
import { Ends } from './ends.ts'
import { Image } from './image.ts'
import { Link } from './link.ts'
import { Bold, Italic, Strike, Underline } from './marks.ts'
import { Remarks } from './remarks.ts'

const EMPTY = 'Write something. Everyone who has the link sees it.'

/**
 * What a text may hold: for the editor, and for files read and written. Everything stock Tiptap's starter kit knows, so that
 * documents may be shared with it; without its history (undo must be each author's own, which Collaboration brings) and
 * without its trailing paragraph (a shared document holds what people typed, nothing added on their behalf).
 */
export const SCHEMA_EXTENSIONS: readonly AnyExtension[] = [
  Document,
  Paragraph,
  Text,
  Heading,
  Blockquote,
  CodeBlock,
  HorizontalRule,
  HardBreak,
  Bold,
  Italic,
  Underline,
  Strike,
  Code,
  Link,
  ListKit.configure({ taskItem: { nested: true } }),
  TableKit.configure({ table: { resizable: false } }),
  Image,
]

/**
 * Elements that undo leaves alone while somebody else's words are in them: all. Whoever made a list item may undo that, but
 * not what another has typed into it.
 */
const PROTECTED = new Set([
  'paragraph',
  'heading',
  'blockquote',
  'codeBlock',
  'bulletList',
  'orderedList',
  'listItem',
  'taskList',
  'taskItem',
  'table',
  'tableRow',
  'tableCell',
  'tableHeader',
])

export function editorExtensions({ doc, awareness }: Room): AnyExtension[] {
  return [
    ...SCHEMA_EXTENSIONS,
    Collaboration.configure({ document: doc, yUndoOptions: { protectedNodes: PROTECTED } }),
    Carets.configure({ awareness }),
    Dropcursor.configure({ color: 'currentColor', width: 2 }),
    Gapcursor,
    Ends,
    Remarks,
    // Only where there is nothing at all, and only to who may write: an empty line among others says enough by itself.
    Placeholder.configure({ placeholder: ({ editor }) => (editor.isEmpty ? EMPTY : '') }),
  ]
}
