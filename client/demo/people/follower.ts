import type { Awareness } from 'y-protocols/awareness'
import type { Mode } from '../net/address.ts'
import type { Surface } from '../surface.ts'
import { announce } from '../ui/announce.ts'
import { element } from '../ui/element.ts'
import { paint } from './person.ts'
import { peer } from './roster.ts'

/** What a follower needs of the page. */
export interface Stage {
  readonly main: HTMLElement
  /** The editor that is shown. */
  readonly surface: Surface | null
  show(mode: Mode): void
}

/** Keeps someone else's caret in view, until one writes, scrolls or says so oneself. */
export class Follower {
  readonly #awareness: Awareness
  readonly #stage: Stage
  readonly #listeners = new Set<() => void>()
  readonly #pill = element('button', { class: 'button following', type: 'button', hidden: true })
  #followed: number | null = null

  constructor(awareness: Awareness, stage: Stage) {
    this.#awareness = awareness
    this.#stage = stage
    stage.main.after(this.#pill)
    this.#pill.addEventListener('click', () => this.follow(null))
    awareness.on('change', () => this.#keepUp())
    const stop = (): void => this.follow(null)
    stage.main.addEventListener('wheel', stop, { passive: true })
    stage.main.addEventListener('touchmove', stop, { passive: true })
    stage.main.addEventListener('beforeinput', stop)
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape') stop()
    })
  }

  get followed(): number | null {
    return this.#followed
  }

  watch(listener: () => void): void {
    this.#listeners.add(listener)
  }

  follow(client: number | null): void {
    if (client === this.#followed) return
    this.#followed = client
    const name = client === null ? undefined : peer(this.#awareness, client)?.person.name
    announce(name === undefined ? 'Following nobody' : `Following ${name}`)
    this.#keepUp()
    for (const listener of this.#listeners) listener()
  }

  #keepUp(): void {
    const { main } = this.#stage
    const followed = this.#followed === null ? undefined : peer(this.#awareness, this.#followed)
    this.#pill.hidden = followed === undefined
    main.toggleAttribute('data-following', followed !== undefined)
    if (followed === undefined) return void (this.#followed = null)
    const { person, mode, client } = followed
    this.#pill.replaceChildren(element('span', {}, `Following ${person.name}`), ' · Stop')
    paint(this.#pill, person)
    paint(main, person)
    if (mode !== null) this.#stage.show(mode)
    // The editors put carets where they belong a moment after presence has changed.
    requestAnimationFrame(() => this.#stage.surface?.reveal(client))
  }
}
