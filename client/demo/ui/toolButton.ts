import { element } from './element.ts'
import { icon } from './icon.ts'
import type { IconName } from './icon.ts'
import { keyText } from './keys.ts'

/** A button with a drawing on it; what it does is said to those who listen, and to those who point at it. */
export function toolButton(name: IconName, label: string, keys?: string): HTMLButtonElement {
  const title = keys === undefined ? label : `${label} (${keyText(keys)})`
  return element('button', { class: 'icon-button', type: 'button', 'aria-label': label, title }, icon(name))
}

/** A line between groups of buttons. */
export function rule(): HTMLElement {
  return element('span', { class: 'rule', 'aria-hidden': 'true' })
}
