import type { Editor } from '@tiptap/core'

interface Action {
  readonly run: (editor: Editor) => void
  /** Whether the action applies where the caret is; absent for what is no state, such as undo. */
  readonly isOn?: (editor: Editor) => boolean
}

const ACTIONS: Readonly<Record<string, Action>> = {
  bold: { run: (editor) => editor.chain().focus().toggleBold().run(), isOn: (editor) => editor.isActive('bold') },
  italic: { run: (editor) => editor.chain().focus().toggleItalic().run(), isOn: (editor) => editor.isActive('italic') },
  heading: {
    run: (editor) => editor.chain().focus().toggleHeading({ level: 2 }).run(),
    isOn: (editor) => editor.isActive('heading'),
  },
  bulletList: {
    run: (editor) => editor.chain().focus().toggleBulletList().run(),
    isOn: (editor) => editor.isActive('bulletList'),
  },
  orderedList: {
    run: (editor) => editor.chain().focus().toggleOrderedList().run(),
    isOn: (editor) => editor.isActive('orderedList'),
  },
  blockquote: {
    run: (editor) => editor.chain().focus().toggleBlockquote().run(),
    isOn: (editor) => editor.isActive('blockquote'),
  },
  undo: { run: (editor) => editor.chain().focus().undo().run() },
  redo: { run: (editor) => editor.chain().focus().redo().run() },
}

/** Wires the buttons of a `role="toolbar"`: one tab stop, arrow keys between them, `aria-pressed` as the caret moves. */
export function wireToolbar(toolbar: HTMLElement, editor: Editor): void {
  const buttons = [...toolbar.querySelectorAll('button')]
  for (const button of buttons) {
    button.tabIndex = button === buttons[0] ? 0 : -1
    button.addEventListener('click', () => {
      ACTIONS[button.dataset['action'] ?? '']?.run(editor)
    })
  }
  toolbar.addEventListener('keydown', (event) => {
    const next = neighbour(buttons, event.key)
    if (next === undefined) return
    event.preventDefault()
    for (const button of buttons) button.tabIndex = button === next ? 0 : -1
    next.focus()
  })
  editor.on('transaction', () => {
    showPressed(buttons, editor)
  })
  showPressed(buttons, editor)
}

function neighbour(buttons: readonly HTMLButtonElement[], key: string): HTMLButtonElement | undefined {
  const current = buttons.findIndex((button) => button === document.activeElement)
  switch (key) {
    case 'ArrowRight':
      return buttons[(current + 1) % buttons.length]
    case 'ArrowLeft':
      return buttons.at(current - 1)
    case 'Home':
      return buttons[0]
    case 'End':
      return buttons.at(-1)
    default:
      return undefined
  }
}

function showPressed(buttons: readonly HTMLButtonElement[], editor: Editor): void {
  for (const button of buttons) {
    const isOn = ACTIONS[button.dataset['action'] ?? '']?.isOn
    if (isOn !== undefined) button.setAttribute('aria-pressed', String(isOn(editor)))
  }
}
