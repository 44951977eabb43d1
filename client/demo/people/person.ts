import { inkOn, NEUTRAL, PALETTE } from './palette.ts'

/** How someone appears to the others. */
export interface Person {
  readonly name: string
  /** `#rrggbb` */
  readonly color: string
}

const STORAGE_KEY = 'scriptorium.person'
const MAX_NAME_LENGTH = 32
const MANNERS = ['Quiet', 'Brisk', 'Gentle', 'Curious', 'Patient', 'Merry', 'Candid', 'Steady', 'Nimble', 'Cheerful']
const ANIMALS = ['Heron', 'Otter', 'Badger', 'Wren', 'Hare', 'Lynx', 'Finch', 'Marten', 'Plover', 'Hedgehog']

/** Who this browser was last time. @param part side by side, two people share a browser */
export function recallPerson(part = ''): Person | undefined {
  return readPerson(readStorage(part))
}

/** @param taken a name that it must not be */
export function inventPerson(taken?: string): Person {
  const name = `${pick(MANNERS)} ${pick(ANIMALS)}`
  return name === taken ? inventPerson(taken) : { name, color: pick(PALETTE) }
}

/** A colour that nobody has; any, when there are more people than colours. */
export function freeColor(taken: ReadonlySet<string>): string {
  const free = PALETTE.filter((color) => !taken.has(color))
  return pick(free.length > 0 ? free : PALETTE)
}

export function rememberPerson(person: Person, part = ''): void {
  try {
    localStorage.setItem(STORAGE_KEY + part, JSON.stringify(person))
  } catch {
    // Storage may be full or forbidden; the name then lasts as long as the tab.
  }
}

/** What anybody may have put into their presence, made fit to show; undefined when it names nobody. */
export function readPerson(value: unknown): Person | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, color } = value as Record<string, unknown>
  if (typeof name !== 'string' || name.trim() === '') return undefined
  return { name: name.trim().slice(0, MAX_NAME_LENGTH), color: isColor(color) ? color : NEUTRAL }
}

/** One or two letters to stand for a name. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter((word) => word !== '')
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => Array.from(word ?? '')[0] ?? '')
  return letters.join('').toUpperCase()
}

/** Gives an element someone's colours. */
export function paint(element: HTMLElement, person: Person): void {
  element.style.setProperty('--person', person.color)
  element.style.setProperty('--person-ink', inkOn(person.color))
}

function isColor(value: unknown): value is string {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value)
}

function readStorage(part: string): unknown {
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY + part) ?? 'null')
  } catch {
    return undefined
  }
}

function pick(choices: readonly string[]): string {
  return choices[Math.floor(Math.random() * choices.length)] ?? ''
}
