import { BLOCKS, HISTORY, STYLES } from './text/actions.ts'
import { element } from './ui/element.ts'
import { keyNames } from './ui/keys.ts'
import { openSheet } from './ui/sheet.ts'

interface Shortcut {
  readonly label: string
  readonly keys: string
}

const PAGE: readonly Shortcut[] = [
  { label: 'This list', keys: 'Mod /' },
  { label: 'To the toolbar, and back with Escape', keys: 'Alt F10' },
  { label: 'Text or code', keys: 'Mod Alt M' },
  { label: 'Comment on what is selected', keys: 'Mod Alt K' },
  { label: 'Network panel', keys: 'Mod Alt N' },
  { label: 'Out of the code editor', keys: 'Escape Tab' },
  { label: 'Stop following', keys: 'Escape' },
]

/** Every shortcut there is; those of the text come from the toolbar's own list. */
export function showShortcuts(): void {
  const inText = [...HISTORY, ...STYLES, ...BLOCKS].flatMap(({ label, keys }) =>
    keys === undefined ? [] : { label, keys },
  )
  openSheet('Keyboard', list('Everywhere', PAGE), list('In the text', [...inText, { label: 'Link', keys: 'Mod K' }]))
}

function list(title: string, shortcuts: readonly Shortcut[]): HTMLElement {
  const rows = shortcuts.flatMap(({ label, keys }) => [
    element('dt', {}, label),
    element('dd', {}, ...keyNames(keys).flatMap((key) => [element('kbd', {}, key), ' '])),
  ])
  return element('section', {}, element('h3', {}, title), element('dl', {}, ...rows))
}
