import type { Awareness } from 'y-protocols/awareness'
import { inkOn, readPerson } from './person.ts'
import type { Person } from './person.ts'

/** More than these are shown as a number: the list must not push the text off a small screen. */
const MAX_SHOWN = 8
/** Milliseconds of quiet before joins and leaves are spoken, so that a reconnection is not read out name by name. */
const ANNOUNCE_AFTER_MS = 2_000

/** Keeps the list of everyone else who has the document open. */
export function watchPeople(awareness: Awareness, list: HTMLElement, announce: (text: string) => void): void {
  let announcing: ReturnType<typeof setTimeout> | undefined
  let announced = 0

  const show = (): void => {
    const people = others(awareness)
    const chips = people.slice(0, MAX_SHOWN).map(chip)
    if (people.length > MAX_SHOWN) chips.push(item(`+${String(people.length - MAX_SHOWN)}`))
    list.replaceChildren(...chips)
    clearTimeout(announcing)
    announcing = setTimeout(() => {
      if (people.length !== announced) announce(headcount(people.length))
      announced = people.length
    }, ANNOUNCE_AFTER_MS)
  }
  awareness.on('change', show)
  show()
}

/** The caret of someone else: a coloured line with their name on it. */
export function renderCaret(user: Record<string, unknown>): HTMLElement {
  const person = readPerson(user) ?? { name: 'Someone', color: '#64748b' }
  const caret = document.createElement('span')
  caret.className = 'collaboration-carets__caret'
  const label = document.createElement('span')
  label.className = 'collaboration-carets__label'
  label.textContent = person.name
  paint(caret, person)
  caret.append(label)
  requestAnimationFrame(() => {
    turnAtEdge(label)
  })
  return caret
}

/** A label that would be cut off at the right edge of the paper hangs to the left of its caret instead. */
function turnAtEdge(label: HTMLElement): void {
  const edge = label.closest('.paper')?.getBoundingClientRect().right ?? Infinity
  if (label.getBoundingClientRect().right > edge) label.dataset['side'] = 'left'
}

function headcount(count: number): string {
  return count === 1 ? '1 other person here' : `${String(count)} other people here`
}

function others(awareness: Awareness): Person[] {
  const ids = [...awareness.getStates().keys()].filter((id) => id !== awareness.clientID).sort((a, b) => a - b)
  return ids.flatMap((id) => readPerson(awareness.getStates().get(id)?.['user']) ?? [])
}

function chip(person: Person): HTMLLIElement {
  const entry = item(person.name)
  paint(entry, person)
  return entry
}

function item(text: string): HTMLLIElement {
  const entry = document.createElement('li')
  entry.textContent = text
  return entry
}

function paint(element: HTMLElement, person: Person): void {
  element.style.setProperty('--person', person.color)
  element.style.setProperty('--person-ink', inkOn(person.color))
}
