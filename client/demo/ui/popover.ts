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
  let closedAt = -Infinity
  panel.addEventListener('beforetoggle', (event) => {
    if (event.newState === 'closed') closedAt = event.timeStamp
  })
  const open = (): void => {
    fill(panel)
    panel.showPopover()
    place(panel, button)
    panel.querySelector<HTMLElement>('[autofocus], button, input')?.focus()
  }
  button.addEventListener('click', (event) => {
    // The press of the same click has closed it already, as a click elsewhere would.
    if (event.timeStamp - closedAt > 250) open()
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
