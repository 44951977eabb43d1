import type { FormatId } from './files/formats.ts'
import { FORMAT_IDS, FORMATS } from './files/formats.ts'
import { addressFor } from './net/address.ts'
import { openShortcuts } from './openShortcuts.ts'
import { element } from './ui/element.ts'
import { icon } from './ui/icon.ts'
import type { IconName } from './ui/icon.ts'
import { keyNames } from './ui/keys.ts'
import { popover } from './ui/popover.ts'
import { rove } from './ui/roving.ts'
import { setTheme, theme, THEMES } from './ui/theme.ts'

export interface MenuHost {
  readonly exportAs: (format: FormatId) => Promise<void>
  readonly importFile: () => void
}

type ItemMaker = (name: IconName, label: string, run: () => void | Promise<void>) => HTMLElement

/** Everything that is not needed all the time. @param host null: there is no editor to read from and write to */
export function wireMenu(button: HTMLElement, host: MenuHost | null): void {
  button.append(icon('menu'))
  const menu = popover(button, 'Menu', (panel) => panel.replaceChildren(...items(host, () => menu.panel.hidePopover())))
  rove(menu.panel)
}

function items(host: MenuHost | null, close: () => void): Node[] {
  const item: ItemMaker = (name, label, run) => {
    const choose = (): void => {
      close()
      void run()
    }
    return element('button', { class: 'menu-item', type: 'button', onclick: choose }, icon(name), label)
  }
  const shortcuts = item('keyboard', 'Keyboard shortcuts', openShortcuts)
  shortcuts.append(element('kbd', {}, keyNames('Mod /').join(' ')))
  return [
    item('page', 'New document', () => void open('./', '_blank', 'noopener')),
    item('split', 'Open a second user', () => location.assign(addressFor('split'))),
    ...(host === null ? [] : fileItems(host, item)),
    item('print', 'Print…', () => print()),
    label('Page'),
    themeItem(),
    shortcuts,
  ]
}

function fileItems({ exportAs, importFile }: MenuHost, item: ItemMaker): Node[] {
  return [
    label('Save a copy'),
    ...FORMAT_IDS.map((format) => item('download', FORMATS[format], () => exportAs(format))),
    item('upload', 'Import Markdown or .ydoc…', importFile),
  ]
}

function themeItem(): HTMLElement {
  const names = { auto: 'as the system', light: 'light', dark: 'dark' }
  const button = element('button', { class: 'menu-item', type: 'button' })
  const show = (): void => button.replaceChildren(icon('light'), `Colours: ${names[theme()]}`)
  button.addEventListener('click', () => {
    setTheme(THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length] ?? 'auto')
    show()
  })
  show()
  return button
}

function label(text: string): HTMLElement {
  return element('p', { class: 'menu-label' }, text)
}
