import type { Editor } from '@tiptap/core'
import { element } from '../ui/element.ts'
import { popover } from '../ui/popover.ts'
import { toolButton } from '../ui/toolButton.ts'
import { PICTURE_LIMIT } from './imageFile.ts'
import { insertPictures } from './pictures.ts'

/** The button that puts a picture into the text, or describes the selected one to those who do not see it. */
export function pictureButton(editor: Editor): HTMLButtonElement {
  const button = toolButton('image', 'Picture')
  const box = popover(button, 'Picture', (panel) => {
    const close = (): void => box.panel.hidePopover()
    panel.classList.add('padded')
    panel.replaceChildren(editor.isActive('image') ? describeForm(editor, close) : chooser(editor, close))
  })
  const show = (): void => button.setAttribute('aria-pressed', String(editor.isActive('image')))
  editor.on('transaction', show)
  show()
  return button
}

function chooser(editor: Editor, close: () => void): HTMLElement {
  const input = element('input', { class: 'unseen', type: 'file', accept: 'image/*', multiple: true, tabindex: -1 })
  input.setAttribute('aria-label', 'Picture files')
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])]
    close()
    void insertPictures(editor, files, null)
  })
  const choose = element(
    'button',
    { class: 'button primary', type: 'button', onclick: () => input.click() },
    'Choose a file…',
  )
  const hint = element('p', { class: 'hint' }, PICTURE_LIMIT, ' Pasting and dropping work too.')
  return element('div', {}, element('h2', {}, 'Add a picture'), hint, element('div', { class: 'row' }, choose, input))
}

function describeForm(editor: Editor, close: () => void): HTMLElement {
  const { alt } = editor.getAttributes('image')
  const words = element('input', {
    id: 'picture-words',
    class: 'field',
    value: typeof alt === 'string' ? alt : null,
    autofocus: true,
  })
  const apply = (event: Event): void => {
    event.preventDefault()
    close()
    editor.chain().focus().updateAttributes('image', { alt: words.value.trim() }).run()
  }
  return element(
    'form',
    { onsubmit: apply },
    element('label', { for: 'picture-words' }, 'Describe the picture to those who cannot see it'),
    words,
    element('div', { class: 'row' }, element('button', { class: 'button primary', type: 'submit' }, 'Apply')),
  )
}
