/** How someone appears to the others. */
export interface Person {
  readonly name: string
  /** `#rrggbb` */
  readonly color: string
}

const STORAGE_KEY = 'scriptorium.person'
const MAX_NAME_LENGTH = 32

/** Each has a contrast of at least 4.5 with white text on it, and of 3 with both papers as a caret. */
const COLORS = [
  '#c2410c',
  '#dc2626',
  '#c026d3',
  '#9333ea',
  '#2563eb',
  '#0e7490',
  '#0f766e',
  '#15803d',
  '#a16207',
  '#db2777',
] as const
const MANNERS = ['Quiet', 'Brisk', 'Gentle', 'Curious', 'Patient', 'Merry', 'Candid', 'Steady', 'Nimble', 'Cheerful']
const ANIMALS = ['Heron', 'Otter', 'Badger', 'Wren', 'Hare', 'Lynx', 'Finch', 'Marten', 'Plover', 'Hedgehog']

/** Who this browser was last time, or someone new. */
export function recallPerson(): Person {
  const stored = readPerson(readStorage())
  if (stored !== undefined) return stored
  const person = { name: `${pick(MANNERS)} ${pick(ANIMALS)}`, color: pick(COLORS) }
  rememberPerson(person)
  return person
}

export function rememberPerson(person: Person): void {
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(person))
  } catch {
    // Storage may be full or forbidden; the name then lasts as long as the tab.
  }
}

/** What anybody may have put into their presence, made fit to show; undefined when it names nobody. */
export function readPerson(value: unknown): Person | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, color } = value as Record<string, unknown>
  if (typeof name !== 'string' || name.trim() === '') return undefined
  return { name: name.trim().slice(0, MAX_NAME_LENGTH), color: isColor(color) ? color : '#64748b' }
}

/** Black or white, whichever reads better on the colour (WCAG relative luminance). */
export function inkOn(color: string): string {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const channel = Number.parseInt(color.slice(start, start + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.183 ? '#000000' : '#ffffff'
}

function isColor(value: unknown): value is string {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value)
}

function readStorage(): unknown {
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null')
  } catch {
    return undefined
  }
}

function pick(choices: readonly string[]): string {
  return choices[Math.floor(Math.random() * choices.length)] ?? ''
}
