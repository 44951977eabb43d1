import type { Room } from '../room.ts'
import { element } from '../ui/element.ts'
import { keepFocus } from '../ui/keepFocus.ts'
import { rove } from '../ui/roving.ts'
import { rule, toolButton } from '../ui/toolButton.ts'
import type { CodeEditor } from './codeEditor.ts'
import { LANGUAGE_IDS, LANGUAGES, toLanguageId } from './languages.ts'

/** The tools above the code. The language is part of the document; how lines wrap is everybody's own. */
export function fillCodeToolbar(toolbar: HTMLElement, editor: CodeEditor, room: Room): void {
  const undo = toolButton('undo', 'Undo', 'Mod Z')
  undo.addEventListener('click', () => editor.undo())
  const redo = toolButton('redo', 'Redo', 'Mod Shift Z')
  redo.addEventListener('click', () => editor.redo())
  toolbar.replaceChildren(undo, redo, rule(), languageMenu(editor, room), wrapButton(editor))
  rove(toolbar)
  keepFocus(toolbar)
}

function languageMenu(editor: CodeEditor, { doc }: Room): HTMLElement {
  const settings = doc.getMap<unknown>('settings')
  const options = LANGUAGE_IDS.map((id) => element('option', { value: id }, LANGUAGES[id].name))
  const menu = element('select', { 'aria-label': 'Language' }, ...options)
  const show = (): void => {
    const id = toLanguageId(settings.get('language'))
    menu.value = id
    editor.setLanguage(id)
  }
  settings.observe(show)
  menu.addEventListener('change', () => settings.set('language', menu.value))
  show()
  return menu
}

function wrapButton(editor: CodeEditor): HTMLElement {
  const button = toolButton('wrap', 'Wrap long lines')
  let isWrapped = matchMedia('(width < 40rem)').matches
  const show = (): void => {
    button.setAttribute('aria-pressed', String(isWrapped))
    editor.setWrapping(isWrapped)
  }
  button.addEventListener('click', () => {
    isWrapped = !isWrapped
    show()
  })
  show()
  return button
}
