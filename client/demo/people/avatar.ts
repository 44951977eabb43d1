import { element } from '../ui/element.ts'
import { initials, paint } from './person.ts'
import type { Person } from './person.ts'

/** A disc in someone's colour with their initials. Decoration: the name stands beside it, or on what it is in. */
export function disc(person: Person): HTMLElement {
  const created = element('span', { class: 'disc', 'aria-hidden': 'true' }, initials(person.name))
  paint(created, person)
  return created
}
