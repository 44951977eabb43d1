import { element } from './element.ts'

/** A window over the page, closed by Escape or its button. */
export function openSheet(title: string, ...content: Node[]): void {
  const close = element('button', { class: 'button', type: 'button' }, 'Close')
  const sheet = element('dialog', { class: 'sheet', 'aria-labelledby': 'sheet-title' })
  close.addEventListener('click', () => sheet.close())
  sheet.addEventListener('close', () => sheet.remove())
  sheet.append(element('h2', { id: 'sheet-title' }, title), ...content, close)
  document.body.append(sheet)
  sheet.showModal()
}
