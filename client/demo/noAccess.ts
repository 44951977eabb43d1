import { byId, element } from './ui/element.ts'

/** Says in place of the text that there is none to be seen, why, and what can be done instead. */
export function showNoAccess(reason: string): void {
  const why = reason === '' ? '' : ` The server says: ${reason}.`
  const text = `You cannot open this document with this link.${why} Ask whoever sent it for another one.`
  const notice = byId('notice')
  notice.replaceChildren(element('p', {}, text), element('a', { class: 'button', href: './' }, 'Start a new document'))
  notice.hidden = false
}
