import type { Attributes } from './element.ts'
import { element } from './element.ts'

/** Pixels between a button and what it opens, and between that and the window's edge. */
const GAP = 6

export interface Popover {
  readonly panel: HTMLElement
  open(): void
  close(): void
}

/**
 * What a button opens: closed by Escape, by a click elsewhere, and again by the button. `fill` is called each time it is
 * opened.
 */
export function popover(button: HTMLElement, label: string, fill: (panel: HTMLElement) => void): Popover {
  const attributes: Attributes = { class: 'popover', popover: 'auto', role: 'dialog', 'aria-label': label }
  const panel = element('div', attributes)
  document.body.append(panel)
  button.setAttribute('aria-haspopup', 'dialog')
  button.setAttribute('aria-expanded', 'false')
  panel.addEventListener('toggle', (event) => {
    const isOpen = event.newState === 'open'
    button.setAttribute('aria-expanded', String(isOpen))
    if (!isOpen) panel.replaceChildren()
  })
  const open = (): void => {
    fill(panel)
    panel.showPopover()
    place(panel, button)
    const first = panel.querySelector<HTMLElement>('[autofocus]') ?? panel.querySelector<HTMLElement>('button, input')
    first?.focus()
  }
  const isOpen = (): boolean => panel.matches(':popover-open')
  // By the time of the click, the press has closed it already, as a press elsewhere would.
  let wasOpen = false
  button.addEventListener('pointerdown', () => {
    wasOpen = isOpen()
  })
  button.addEventListener('click', () => {
    if (wasOpen || isOpen()) panel.hidePopover()
    else open()
    wasOpen = false
  })
  const close = (): void => {
    panel.hidePopover()
    button.focus()
  }
  return { panel, open, close }
}

/** Below the button, or above it where there is more room, and inside the window. */
function place(panel: HTMLElement, button: HTMLElement): void {
  const anchor = button.getBoundingClientRect()
  const { width, height } = panel.getBoundingClientRect()
  const below = anchor.bottom + GAP
  const top = below + height > innerHeight ? Math.max(GAP, anchor.top - GAP - height) : below
  const left = Math.min(anchor.left, innerWidth - width - GAP)
  panel.style.top = `${top}px`
  panel.style.left = `${Math.max(GAP, left)}px`
}
