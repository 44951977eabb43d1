import { byId, element } from './element.ts'

/** Milliseconds a message stays: long enough to be read twice. */
const SHOWN_FOR_MS = 6_000

let hiding: ReturnType<typeof setTimeout> | undefined

/** Says something to those who listen to the page, once what they hear now is over. */
export function announce(text: string): void {
  byId('announcements').textContent = text
}

/** Shows and says something that needs no answer. */
export function tell(text: string): void {
  document.querySelector('.toast')?.remove()
  clearTimeout(hiding)
  const toast = element('p', { class: 'toast' }, text)
  document.body.append(toast)
  announce(text)
  hiding = setTimeout(() => toast.remove(), SHOWN_FOR_MS)
}
