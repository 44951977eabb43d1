import type { Editor } from '@tiptap/core'
import { element } from '../ui/element.ts'
import { keepFocus } from '../ui/keepFocus.ts'
import { rove } from '../ui/roving.ts'
import { rule, toolButton } from '../ui/toolButton.ts'
import { BLOCKS, HISTORY, IN_TABLE, levelAt, LEVELS, setLevel, STYLES, TABLE } from './actions.ts'
import type { Action } from './actions.ts'
import { linkButton } from './linkBox.ts'
import { pictureButton } from './pictureBox.ts'

/** How much of the toolbar is told what the caret stands on. */
interface Shown {
  readonly action: Action
  readonly button: HTMLButtonElement
}

/** The buttons above the text: one tab stop, arrow keys between them, pressed as the caret moves. */
export function fillTextToolbar(toolbar: HTMLElement, editor: Editor): void {
  const shown: Shown[] = []
  const group = (actions: readonly Action[]): HTMLElement[] =>
    actions.map((action) => {
      const button = actionButton(action, editor)
      shown.push({ action, button })
      return button
    })
  const levels = levelMenu(editor)
  const inTable = group(IN_TABLE)
  for (const button of inTable) button.classList.add('in-table')
  toolbar.replaceChildren(
    ...group(HISTORY),
    rule(),
    levels,
    ...group(STYLES),
    linkButton(editor),
    rule(),
    ...group(BLOCKS),
    pictureButton(editor),
    ...group([TABLE]),
    ...inTable,
  )
  const show = (): void => {
    for (const { action, button } of shown) showState(action, button, editor)
    for (const button of inTable) button.hidden = !editor.isActive('table')
    levels.value = String(levelAt(editor))
  }
  const showSoon = oncePerFrame(show)
  editor.on('transaction', showSoon)
  editor.on('update', showSoon)
  rove(toolbar)
  keepFocus(toolbar)
  show()
}

function actionButton(action: Action, editor: Editor): HTMLButtonElement {
  const button = toolButton(action.icon, action.label, action.keys)
  button.addEventListener('click', () => action.run(editor.chain().focus()).run())
  return button
}

function showState(action: Action, button: HTMLButtonElement, editor: Editor): void {
  if (action.isOn !== undefined) button.setAttribute('aria-pressed', String(action.isOn(editor)))
  // Disabling what has the focus would throw it away; a button that can do nothing right now says so instead.
  const canRun = editor.isEditable && (action.isOn === undefined ? action.run(editor.can().chain()).run() : true)
  button.setAttribute('aria-disabled', String(!canRun))
}

function levelMenu(editor: Editor): HTMLSelectElement {
  const options = LEVELS.map((level) =>
    element('option', { value: level }, level === 0 ? 'Paragraph' : `Heading ${level}`),
  )
  const menu = element('select', { 'aria-label': 'Paragraph style' }, ...options)
  menu.addEventListener('change', () => setLevel(editor, Number(menu.value)))
  return menu
}

/** What is asked for many times between two frames happens once. */
function oncePerFrame(task: () => void): () => void {
  let isAsked = false
  return () => {
    if (isAsked) return
    isAsked = true
    requestAnimationFrame(() => {
      isAsked = false
      task()
    })
  }
}
