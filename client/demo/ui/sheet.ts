import { element } from './element.ts'
import { icon } from './icon.ts'

/** A window over the page, closed by Escape or its button. */
export function openSheet(title: string, ...content: Node[]): void {
  const close = element('button', { class: 'icon-button', type: 'button', 'aria-label': 'Close' }, icon('close'))
  const sheet = element('dialog', { class: 'sheet', 'aria-labelledby': 'sheet-title' })
  close.addEventListener('click', () => sheet.close())
  sheet.addEventListener('close', () => sheet.remove())
  const header = element('header', {}, element('h2', { id: 'sheet-title' }, title), close)
  sheet.append(header, element('div', { class: 'columns' }, ...content))
  document.body.append(sheet)
  sheet.showModal()
}
