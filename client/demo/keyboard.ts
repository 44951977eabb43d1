import type { ModeSwitch } from './modeSwitch.ts'
import type { Panels } from './panels.ts'
import { openShortcuts } from './openShortcuts.ts'

export interface KeyHost {
  readonly modes: ModeSwitch
  readonly panels: Panels
  readonly comment: () => void
  readonly network: () => void
}

/** The shortcuts of the page; those of the text are the editor's. */
export function wireKeys({ modes, comment, network }: KeyHost): void {
  const shortcuts: Readonly<Record<string, () => void | Promise<void>>> = {
    'Mod /': openShortcuts,
    'Alt F10': focusToolbar,
    'Mod Alt KeyM': () => modes.toggle(),
    'Mod Alt KeyK': comment,
    'Mod Alt KeyN': network,
    'Mod KeyK': openLink,
  }
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing) return
    const run = event.key === '?' && !isWriting(event) ? openShortcuts : shortcuts[nameOf(event)]
    if (run === undefined) return
    event.preventDefault()
    void run()
  })
  for (const toolbar of document.querySelectorAll('.toolbar')) {
    toolbar.addEventListener('keydown', (event) => {
      if ((event as KeyboardEvent).key === 'Escape') modes.surface?.focus()
    })
  }
}

/** Letters by their place on the keyboard: with Alt, what they type differs from layout to layout. */
function nameOf({ key, code, ctrlKey, metaKey, altKey, shiftKey }: KeyboardEvent): string {
  const modifiers = [ctrlKey || metaKey ? 'Mod' : '', altKey ? 'Alt' : '', shiftKey ? 'Shift' : '']
  return [...modifiers, code.startsWith('Key') ? code : key].filter((part) => part !== '').join(' ')
}

function isWriting(event: KeyboardEvent): boolean {
  const [target] = event.composedPath()
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'))
}

function focusToolbar(): void {
  document.querySelector<HTMLElement>('.toolbar:not([hidden]) [tabindex="0"]')?.focus()
}

function openLink(): void {
  document.querySelector<HTMLElement>('.toolbar:not([hidden]) [aria-label="Link"]')?.click()
}
