import { announce } from '../ui/announce.ts'
import { byId, element } from '../ui/element.ts'
import type { Unknown } from './contentCheck.ts'

/** Says why the text cannot be edited here, and what to do. */
export function showRefusal({ what, name }: Unknown): void {
  const text = `This document has a ${what} called “${name}”, which this page does not know. To destroy nothing, the text is only shown, not edited. A newer version of the page may know it.`
  const reload = element('button', { class: 'button', type: 'button', onclick: () => location.reload() }, 'Load again')
  const notice = byId('notice')
  notice.replaceChildren(element('p', {}, text), reload)
  notice.hidden = false
  for (const control of byId('toolbar').querySelectorAll<HTMLButtonElement>('button, select')) control.disabled = true
  announce(text)
}
