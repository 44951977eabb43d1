import { disc } from '../people/avatar.ts'
import { element } from '../ui/element.ts'
import type { Remark } from './comment.ts'

const DAY_MS = 86_400_000

/** Who said what, and when. */
export function remarkView({ author, at, text }: Remark): HTMLElement {
  const date = new Date(at)
  const isOld = Math.abs(Date.now() - at) > DAY_MS
  const when = isOld ? date.toLocaleDateString() : date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const isValid = !Number.isNaN(date.getTime())
  const time = isValid ? element('time', { datetime: date.toISOString(), title: date.toLocaleString() }, when) : null
  return element(
    'div',
    {},
    element('div', { class: 'remark-by' }, disc(author), element('b', {}, author.name), time),
    element('p', { class: 'remark-text' }, text),
  )
}
