import type { Frame, WebsocketProvider } from '../../index.ts'
import { element } from '../ui/element.ts'
import { describeFrame } from './describeFrame.ts'

/** Frames shown; older ones are dropped. */
const MAX_ROWS = 200

/** What goes over the wire, frame by frame, newest first. Listens only while it is shown. */
export class FrameLog {
  readonly view: HTMLElement
  readonly #list = element('ol', { class: 'log', 'aria-label': 'Frames, newest first', tabindex: 0 })
  readonly #provider: WebsocketProvider
  #waiting: Frame[] = []
  #state: 'stopped' | 'running' = 'stopped'

  constructor(provider: WebsocketProvider) {
    this.#provider = provider
    const clear = element('button', { class: 'button quiet', type: 'button' }, 'Clear')
    clear.addEventListener('click', () => this.#list.replaceChildren())
    this.view = element(
      'section',
      {},
      element('div', { class: 'log-head' }, element('h3', {}, 'On the wire'), clear),
      this.#list,
    )
  }

  start(): void {
    if (this.#state === 'running') return
    this.#state = 'running'
    this.#provider.on('frame', this.#take)
  }

  stop(): void {
    this.#state = 'stopped'
    this.#provider.off('frame', this.#take)
  }

  readonly #take = ({ direction, bytes }: Frame): void => {
    if (this.#waiting.length === 0) requestAnimationFrame(() => this.#show())
    this.#waiting.push({ direction, bytes: bytes.slice() })
    if (this.#waiting.length > MAX_ROWS) this.#waiting.shift()
  }

  #show(): void {
    const rows = this.#waiting.map(row).reverse()
    this.#waiting = []
    this.#list.prepend(...rows)
    while (this.#list.childElementCount > MAX_ROWS) this.#list.lastElementChild?.remove()
  }
}

function row({ direction, bytes }: Frame): HTMLElement {
  const { name, detail } = describeFrame(bytes)
  const arrow = element('span', { class: direction, 'aria-hidden': 'true' }, direction === 'in' ? '↓' : '↑')
  const spoken = element('span', { class: 'unseen' }, direction === 'in' ? 'received ' : 'sent ')
  return element(
    'li',
    { title: detail },
    arrow,
    element('span', { class: 'name' }, spoken, name),
    element('span', { class: 'size' }, `${bytes.length} B`),
    detail === '' ? null : element('span', { class: 'detail' }, detail),
  )
}
