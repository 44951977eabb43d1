import type { Awareness } from 'y-protocols/awareness'
import { element } from '../ui/element.ts'
import { NEUTRAL } from './palette.ts'
import { paint, readPerson } from './person.ts'
import type { Person } from './person.ts'

/** Milliseconds a name stays at a caret that has moved. */
const NAMED_FOR_MS = 2_500
const SOMEONE: Person = { name: 'Someone', color: NEUTRAL }

/** A coloured line with a name on it, for either editor. */
export function buildCaret(person: Person = SOMEONE, client: number): HTMLElement {
  const label = element('span', { class: 'caret-label' }, person.name)
  const caret = element('span', { class: 'caret', 'data-caret': client, 'data-moving': movedAt.has(client) }, label)
  paint(caret, person)
  requestAnimationFrame(() => turnAtEdge(label))
  return caret
}

/** Who has moved within the last `NAMED_FOR_MS`, with the timer that ends it. */
const movedAt = new Map<number, ReturnType<typeof setTimeout>>()

/**
 * Shows names while carets move, and keeps them true when people change theirs: editors build a caret once and then only move
 * it. @param root where carets are looked for
 */
export function nameMovingCarets(awareness: Awareness, root: ParentNode): void {
  const cursors = new Map<number, string>()
  awareness.on('change', ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>) => {
    for (const client of removed) cursors.delete(client)
    for (const client of [...added, ...updated]) {
      const state = awareness.getStates().get(client)
      const cursor = JSON.stringify(state?.['cursor'] ?? null)
      const hasMoved = cursors.get(client) !== cursor
      cursors.set(client, cursor)
      if (client !== awareness.clientID) touch(root, client, readPerson(state?.['user']), hasMoved)
    }
  })
}

function touch(root: ParentNode, client: number, person: Person = SOMEONE, hasMoved: boolean): void {
  for (const caret of caretsOf(root, client)) {
    const label = caret.querySelector('.caret-label')
    if (label !== null && label.textContent !== person.name) label.textContent = person.name
    paint(caret, person)
    if (!hasMoved) continue
    caret.dataset['moving'] = ''
    if (label instanceof HTMLElement) requestAnimationFrame(() => turnAtEdge(label)) // when it is where it has moved to
  }
  if (!hasMoved) return
  clearTimeout(movedAt.get(client))
  const calm = (): void => {
    movedAt.delete(client)
    for (const caret of caretsOf(root, client)) delete caret.dataset['moving']
  }
  movedAt.set(client, setTimeout(calm, NAMED_FOR_MS))
}

/** In the text, and in the code, which has a shadow of its own. */
export function caretsOf(root: ParentNode, client: number): HTMLElement[] {
  const selector = `[data-caret="${client}"]`
  const shadows = [...root.querySelectorAll<HTMLElement>('[data-shadow]')].flatMap(({ shadowRoot }) => shadowRoot ?? [])
  return [root, ...shadows].flatMap((part) => Array.from(part.querySelectorAll<HTMLElement>(selector)))
}

/** A label that would be cut off at the right edge of the paper hangs to the left of its caret instead. */
function turnAtEdge(label: HTMLElement): void {
  delete label.dataset['side']
  const edge = label.closest('.paper, .cm-scroller')?.getBoundingClientRect().right ?? Infinity
  if (label.getBoundingClientRect().right > edge) label.dataset['side'] = 'left'
}
