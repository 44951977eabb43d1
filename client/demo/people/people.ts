import type { Awareness } from 'y-protocols/awareness'
import { announce } from '../ui/announce.ts'
import { element } from '../ui/element.ts'
import { popover } from '../ui/popover.ts'
import type { Popover } from '../ui/popover.ts'
import { disc } from './avatar.ts'
import type { Follower } from './follower.ts'
import { paint } from './person.ts'
import { peers } from './roster.ts'
import type { Peer } from './roster.ts'

/** Avatars shown; everybody else is behind the number. */
const MAX_SHOWN = 4
const MAX_SHOWN_NARROW = 2
/** Milliseconds of quiet before joins and leaves are spoken, so that a reconnection is not read out name by name. */
const ANNOUNCE_AFTER_MS = 2_000

/** Everyone else who has the document open; pressing one follows them. */
export class People {
  readonly #awareness: Awareness
  readonly #follower: Follower
  readonly #list = element('ul', { 'aria-label': 'Also here' })
  readonly #more = element('button', { class: 'avatar more', type: 'button', hidden: true })
  readonly #everybody: Popover
  readonly #narrow = matchMedia('(width < 40rem)')
  /** Who was there when last spoken of, by client. */
  #announced = new Map<number, string>()
  /** What the list was made from. */
  #shown = ''
  #announcing: ReturnType<typeof setTimeout> | undefined

  constructor(awareness: Awareness, follower: Follower, container: HTMLElement) {
    this.#awareness = awareness
    this.#follower = follower
    container.prepend(this.#list, this.#more)
    this.#everybody = popover(this.#more, 'Everybody here', (panel) => this.#fill(panel))
  }

  start(): void {
    this.#awareness.on('change', () => this.#show())
    this.#follower.watch(() => this.#show())
    this.#narrow.addEventListener('change', () => this.#show())
    this.#show()
  }

  #show(): void {
    const all = peers(this.#awareness)
    const room = this.#narrow.matches ? MAX_SHOWN_NARROW : MAX_SHOWN
    const shown = all.length > room ? all.slice(0, room) : all
    const key = JSON.stringify([all, room, this.#follower.followed])
    // Presence changes with every key somebody presses; what is replaced in the middle of a click is not clicked.
    if (key === this.#shown) return
    this.#shown = key
    for (const { client, person } of all) if (this.#announced.has(client)) this.#announced.set(client, person.name)
    const focused = document.activeElement?.getAttribute('data-peer')
    this.#list.replaceChildren(...shown.map((peer) => element('li', {}, this.#avatar(peer))))
    if (focused) this.#list.querySelector<HTMLElement>(`[data-peer="${focused}"]`)?.focus()
    const rest = all.length - shown.length
    this.#more.hidden = rest === 0
    this.#more.setAttribute('aria-label', `${rest} more`)
    this.#more.replaceChildren(element('span', { class: 'disc', 'aria-hidden': 'true' }, `+${rest}`))
    clearTimeout(this.#announcing)
    this.#announcing = setTimeout(() => this.#announce(), ANNOUNCE_AFTER_MS)
  }

  #avatar(peer: Peer): HTMLButtonElement {
    const { person, client, isIdle } = peer
    const isFollowed = this.#follower.followed === client
    const label = `${person.name}${isIdle ? ' (away)' : ''}: follow`
    const button = element(
      'button',
      {
        class: 'avatar',
        type: 'button',
        title: person.name,
        'data-peer': client,
        'data-idle': isIdle,
        'aria-label': label,
        'aria-pressed': String(isFollowed),
        onclick: () => this.#follower.follow(isFollowed ? null : client),
      },
      disc(person),
    )
    paint(button, person)
    return button
  }

  #fill(panel: HTMLElement): void {
    const rows = peers(this.#awareness).map(({ client, person, isIdle }) => {
      const choose = (): void => {
        this.#everybody.close()
        this.#follower.follow(client)
      }
      const name = element('span', {}, person.name, isIdle ? element('span', { class: 'hint' }, ' away') : null)
      return element('button', { class: 'menu-item', type: 'button', onclick: choose }, disc(person), name)
    })
    panel.replaceChildren(...rows)
  }

  #announce(): void {
    const now = new Map(peers(this.#awareness).map(({ client, person }) => [client, person.name]))
    const joined = [...now].filter(([client]) => !this.#announced.has(client)).map(([, name]) => name)
    const left = [...this.#announced].filter(([client]) => !now.has(client)).map(([, name]) => name)
    this.#announced = now
    const news = [sentence(joined, 'joined'), sentence(left, 'left')].filter((text) => text !== '')
    if (news.length > 0) announce(news.join(' '))
  }
}

function sentence(names: readonly string[], verb: string): string {
  if (names.length === 0) return ''
  return names.length > 3 ? `${names.length} people ${verb}.` : `${names.join(', ')} ${verb}.`
}
