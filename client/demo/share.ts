import { addressFor, linkToShare } from './net/address.ts'
import { announce } from './ui/announce.ts'
import { element, query } from './ui/element.ts'
import { icon } from './ui/icon.ts'
import { popover } from './ui/popover.ts'

/** The link to this document: copied by the first press, and there to be seen. */
export function wireShare(button: HTMLElement): void {
  button.prepend(icon('share'))
  popover(button, 'Share', fill)
}

function fill(panel: HTMLElement): void {
  const link = element('input', { id: 'link', class: 'field', readonly: true, value: linkToShare() })
  link.addEventListener('focus', () => link.select())
  const outcome = element('p', { class: 'outcome', 'aria-live': 'polite' })
  const copy = element('button', { class: 'button primary', type: 'button', autofocus: true }, 'Copy link')
  copy.addEventListener('click', () => copyLink(link, outcome))
  const second = element('a', { class: 'button', href: addressFor('split') }, icon('split'), 'Open a second user')
  panel.classList.add('padded')
  panel.replaceChildren(
    element('h2', {}, 'Share this document'),
    element('label', { for: 'link' }, 'Whoever has this link can read and write'),
    link,
    element('div', { class: 'row' }, copy, second),
    outcome,
  )
  copyLink(link, outcome)
}

/** Browsers offer the clipboard to secure pages only; over plain HTTP the link is selected, and copied as a key would. */
function copyLink(link: HTMLInputElement, outcome: HTMLElement): void {
  const say = (text: string): void => {
    outcome.textContent = text
    announce(text)
  }
  const select = (): void => {
    query(document, '#link', HTMLInputElement).select()
    say(document.execCommand('copy') ? 'Link copied.' : 'Copy the selected link.')
  }
  if (isSecureContext) navigator.clipboard.writeText(link.value).then(() => say('Link copied.'), select)
  else select()
}
