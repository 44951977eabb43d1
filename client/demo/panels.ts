import { byId, element } from './ui/element.ts'
import { icon } from './ui/icon.ts'
import type { IconName } from './ui/icon.ts'
import { toolButton } from './ui/toolButton.ts'

/** What can stand beside the page. Made when it is opened for the first time. */
export interface PanelKind {
  readonly name: string
  readonly icon: IconName
  readonly keys: string
  readonly make: (body: HTMLElement) => Promise<PanelContent> | PanelContent
}

export interface PanelContent {
  onOpen?(): void
  onClose?(): void
}

interface Entry {
  readonly kind: PanelKind
  readonly button: HTMLButtonElement
  readonly body: HTMLElement
  content: Promise<PanelContent> | null
}

/** The strip of switches, and the one panel beside the page that they fill. */
export class Panels {
  readonly #panel = byId('panel')
  readonly #title = element('h2', { id: 'panel-title' })
  readonly #entries: readonly Entry[]
  #open: Entry | null = null

  constructor(strip: HTMLElement, kinds: readonly PanelKind[]) {
    const close = element(
      'button',
      { class: 'icon-button', type: 'button', 'aria-label': 'Close the panel' },
      icon('close'),
    )
    close.addEventListener('click', () => this.close())
    this.#entries = kinds.map((kind) => this.#entry(kind))
    this.#panel.setAttribute('aria-labelledby', 'panel-title')
    this.#panel.append(element('header', {}, this.#title, close), ...this.#entries.map(({ body }) => body))
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.close()
    })
    strip.append(...this.#entries.map(({ button }) => button))
  }

  /** A small number on a panel's switch; 0: none. */
  badge(name: string, count: number): void {
    const button = this.#find(name).button
    button.querySelector('.badge')?.remove()
    button.setAttribute('aria-label', count === 0 ? name : `${name}: ${count}`)
    if (count > 0) button.append(element('span', { class: 'badge', 'aria-hidden': 'true' }, String(count)))
  }

  toggle(name: string): void {
    if (this.#open?.kind.name === name) this.close()
    else void this.open(name)
  }

  async open(name: string): Promise<PanelContent> {
    const entry = this.#find(name)
    if (this.#open !== null && this.#open !== entry) this.#leave(this.#open)
    this.#open = entry
    this.#panel.hidden = false
    this.#title.textContent = name
    entry.body.hidden = false
    entry.button.setAttribute('aria-expanded', 'true')
    entry.content ??= Promise.resolve(entry.kind.make(entry.body))
    const content = await entry.content
    if (this.#open === entry) content.onOpen?.()
    return content
  }

  close(): void {
    const entry = this.#open
    if (entry === null) return
    const hadFocus = this.#panel.contains(document.activeElement)
    this.#leave(entry)
    this.#open = null
    this.#panel.hidden = true
    if (hadFocus) entry.button.focus()
  }

  #leave(entry: Entry): void {
    entry.body.hidden = true
    entry.button.setAttribute('aria-expanded', 'false')
    void entry.content?.then((content) => content.onClose?.())
  }

  #entry(kind: PanelKind): Entry {
    const button = toolButton(kind.icon, kind.name, kind.keys)
    button.append(element('span', { class: 'words', 'aria-hidden': 'true' }, kind.name))
    button.setAttribute('aria-expanded', 'false')
    button.setAttribute('aria-controls', 'panel')
    button.addEventListener('click', () => this.toggle(kind.name))
    return { kind, button, body: element('div', { class: 'body', hidden: true }), content: null }
  }

  #find(name: string): Entry {
    const entry = this.#entries.find(({ kind }) => kind.name === name)
    if (entry === undefined) throw new Error(`there is no panel ${name}`)
    return entry
  }
}
