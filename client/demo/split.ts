import { addressFor } from './net/address.ts'
import { element } from './ui/element.ts'

/** Two people with one document, each in a frame of their own, so that what passes between them goes through the server. */
export function openSplit(): void {
  const frame = (role: 'first' | 'second', title: string): HTMLElement =>
    element('iframe', { src: addressFor(role), title, allow: 'clipboard-write' })
  const explanation = 'Two people, one document. Write in both; put one of them offline in its network panel.'
  const bar = element(
    'header',
    { class: 'split-bar' },
    element('p', {}, explanation),
    element('a', { class: 'button', href: addressFor('page') }, 'Back to one'),
  )
  const frames = element('main', { class: 'split' }, frame('first', 'First user'), frame('second', 'Second user'))
  document.body.replaceChildren(bar, frames)
}
