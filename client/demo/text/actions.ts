import type { ChainedCommands, Editor } from '@tiptap/core'
import type { IconName } from '../ui/icon.ts'

/** One button of the toolbar. */
export interface Action {
  readonly icon: IconName
  readonly label: string
  /** As on a keyboard without a Mac's signs; `Mod` is Ctrl or ⌘. */
  readonly keys?: string
  readonly run: (chain: ChainedCommands) => ChainedCommands
  /** What is on where the caret stands. */
  readonly isOn?: (editor: Editor) => boolean
}

export const HISTORY: readonly Action[] = [
  { icon: 'undo', label: 'Undo', keys: 'Mod Z', run: (chain) => chain.undo() },
  { icon: 'redo', label: 'Redo', keys: 'Mod Shift Z', run: (chain) => chain.redo() },
]

export const STYLES: readonly Action[] = [
  { icon: 'bold', label: 'Bold', keys: 'Mod B', run: (chain) => chain.toggleBold(), isOn: (at) => at.isActive('bold') },
  {
    icon: 'italic',
    label: 'Italic',
    keys: 'Mod I',
    run: (chain) => chain.toggleItalic(),
    isOn: (at) => at.isActive('italic'),
  },
  {
    icon: 'underline',
    label: 'Underline',
    keys: 'Mod U',
    run: (chain) => chain.toggleUnderline(),
    isOn: (at) => at.isActive('underline'),
  },
  {
    icon: 'strike',
    label: 'Strike through',
    keys: 'Mod Shift S',
    run: (chain) => chain.toggleStrike(),
    isOn: (at) => at.isActive('strike'),
  },
  {
    icon: 'inlineCode',
    label: 'Code',
    keys: 'Mod E',
    run: (chain) => chain.toggleCode(),
    isOn: (at) => at.isActive('code'),
  },
]

export const BLOCKS: readonly Action[] = [
  {
    icon: 'bulletList',
    label: 'Bulleted list',
    keys: 'Mod Shift 8',
    run: (chain) => chain.toggleBulletList(),
    isOn: (at) => at.isActive('bulletList'),
  },
  {
    icon: 'orderedList',
    label: 'Numbered list',
    keys: 'Mod Shift 7',
    run: (chain) => chain.toggleOrderedList(),
    isOn: (at) => at.isActive('orderedList'),
  },
  {
    icon: 'taskList',
    label: 'Task list',
    keys: 'Mod Shift 9',
    run: (chain) => chain.toggleTaskList(),
    isOn: (at) => at.isActive('taskList'),
  },
  {
    icon: 'quote',
    label: 'Quote',
    keys: 'Mod Shift B',
    run: (chain) => chain.toggleBlockquote(),
    isOn: (at) => at.isActive('blockquote'),
  },
  {
    icon: 'codeBlock',
    label: 'Code block',
    keys: 'Mod Alt C',
    run: (chain) => chain.toggleCodeBlock(),
    isOn: (at) => at.isActive('codeBlock'),
  },
  { icon: 'rule', label: 'Dividing line', run: (chain) => chain.setHorizontalRule() },
]

export const TABLE: Action = {
  icon: 'table',
  label: 'Insert a table',
  run: (chain) => chain.insertTable({ rows: 3, cols: 3, withHeaderRow: true }),
}

/** Shown only while the caret stands in a table. */
export const IN_TABLE: readonly Action[] = [
  { icon: 'rowAdd', label: 'Add a row below', run: (chain) => chain.addRowAfter() },
  { icon: 'rowDelete', label: 'Delete the row', run: (chain) => chain.deleteRow() },
  { icon: 'columnAdd', label: 'Add a column to the right', run: (chain) => chain.addColumnAfter() },
  { icon: 'columnDelete', label: 'Delete the column', run: (chain) => chain.deleteColumn() },
  { icon: 'remove', label: 'Delete the table', run: (chain) => chain.deleteTable() },
]

/** Heading levels in the style menu; 0 is a paragraph. */
export const LEVELS = [0, 1, 2, 3] as const

export function levelAt(editor: Editor): number {
  const level = editor.getAttributes('heading')['level'] as unknown
  return typeof level === 'number' ? level : 0
}

export function setLevel(editor: Editor, value: number): void {
  const level = LEVELS.find((known) => known === value) ?? 0
  const chain = editor.chain().focus()
  if (level === 0) chain.setParagraph().run()
  else chain.setHeading({ level }).run()
}
