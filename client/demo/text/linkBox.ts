import type { Editor } from '@tiptap/core'
import { element } from '../ui/element.ts'
import { popover } from '../ui/popover.ts'
import { toolButton } from '../ui/toolButton.ts'

/** The button that makes a link of what is selected, changes the one under the caret, or takes it away. */
export function linkButton(editor: Editor): HTMLButtonElement {
  const button = toolButton('link', 'Link', 'Mod K')
  const box = popover(button, 'Link', (panel) => fill(panel, editor, () => box.panel.hidePopover()))
  const show = (): void => button.setAttribute('aria-pressed', String(editor.isActive('link')))
  editor.on('transaction', show)
  show()
  return button
}

function fill(panel: HTMLElement, editor: Editor, close: () => void): void {
  const current = editor.getAttributes('link')['href'] as unknown
  const address = element('input', {
    id: 'link-address',
    class: 'field',
    type: 'url',
    placeholder: 'https://',
    value: typeof current === 'string' ? current : null,
    autofocus: true,
  })
  const apply = (): void => {
    const href = complete(address.value.trim())
    close()
    if (href === '') removeLink(editor)
    else setLink(editor, href)
  }
  const form = element(
    'form',
    {
      novalidate: true,
      onsubmit: (event) => {
        event.preventDefault()
        apply()
      },
    },
    element('label', { for: 'link-address' }, 'Link to'),
    address,
    element(
      'div',
      { class: 'row' },
      element('button', { class: 'button primary', type: 'submit' }, 'Apply'),
      current === undefined ? null : removeButton(editor, close),
    ),
  )
  panel.classList.add('padded')
  panel.replaceChildren(form)
}

function removeButton(editor: Editor, close: () => void): HTMLElement {
  const remove = (): void => {
    close()
    removeLink(editor)
  }
  return element('button', { class: 'button', type: 'button', onclick: remove }, 'Remove the link')
}

function setLink(editor: Editor, href: string): void {
  const { empty } = editor.state.selection
  const chain = editor.chain().focus().extendMarkRange('link')
  if (empty && !editor.isActive('link')) {
    const marks = [{ type: 'link', attrs: { href } }]
    chain.insertContent({ type: 'text', text: href, marks }).run()
  } else chain.setLink({ href }).run()
}

function removeLink(editor: Editor): void {
  editor.chain().focus().extendMarkRange('link').unsetLink().run()
}

/** `example.org` is meant as an address, not as a file beside this page. */
function complete(address: string): string {
  return address === '' || /^[a-z][a-z0-9+.-]*:|^[/#]/i.test(address) ? address : `https://${address}`
}
