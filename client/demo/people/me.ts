import type { Awareness } from 'y-protocols/awareness'
import { element } from '../ui/element.ts'
import { popover } from '../ui/popover.ts'
import { disc } from './avatar.ts'
import { PALETTE, PALETTE_NAMES } from './palette.ts'
import { freeColor, inventPerson, paint, readPerson, recallPerson, rememberPerson } from './person.ts'
import type { Person } from './person.ts'

/** This person: their avatar, and behind it their name and colour. */
export class Me {
  readonly #awareness: Awareness
  readonly #part: string
  readonly #button = element('button', { class: 'avatar me', type: 'button' })
  #person: Person

  /** @param part side by side, two people share a browser */
  constructor(awareness: Awareness, container: HTMLElement, part: string) {
    this.#awareness = awareness
    this.#part = part
    this.#person = recallPerson(part) ?? this.#newcomer()
    container.append(this.#button)
    popover(this.#button, 'How others see you', (panel) => this.#fill(panel))
    this.#show()
  }

  get person(): Person {
    return this.#person
  }

  /** Takes a colour that nobody else has as soon as others are known, unless a colour has been chosen by then. */
  #newcomer(): Person {
    const { clientID } = this.#awareness
    const neighbour = recallPerson(this.#part === '' ? '.second' : '') // one name in a hundred would be the same
    const person = inventPerson(neighbour?.name)
    rememberPerson(person, this.#part)
    const look = (): void => {
      const others = this.#colorsOfOthers()
      if (others.length === 0) return
      this.#awareness.off('change', look)
      // Of two who see each other one has to change.
      const isTaken = others.some(([client, color]) => color === person.color && client < clientID)
      if (this.#person === person && isTaken)
        this.#change({ color: freeColor(new Set(others.map(([, color]) => color))) })
    }
    this.#awareness.on('change', look)
    return person
  }

  #colorsOfOthers(): (readonly [client: number, color: string])[] {
    const others = [...this.#awareness.getStates()].filter(([client]) => client !== this.#awareness.clientID)
    return others.flatMap(([client, state]) => {
      const color = readPerson(state['user'])?.color
      return color === undefined ? [] : [[client, color] as const]
    })
  }

  #change(change: Partial<Person>): void {
    this.#person = { ...this.#person, ...change }
    rememberPerson(this.#person, this.#part)
    this.#show()
  }

  #show(): void {
    const person = this.#person
    this.#awareness.setLocalStateField('user', person)
    this.#button.replaceChildren(disc(person))
    this.#button.setAttribute('aria-label', `You: ${person.name}`)
    this.#button.title = `You: ${person.name}`
    paint(this.#button, person)
  }

  #fill(panel: HTMLElement): void {
    const rename = (event: Event): void => {
      const name = (event.target as HTMLInputElement).value.trim()
      if (name !== '') this.#change({ name })
    }
    const input = element('input', {
      id: 'my-name',
      class: 'field',
      maxlength: 32,
      autocomplete: 'off',
      spellcheck: 'false',
      value: this.#person.name,
      autofocus: true,
      oninput: rename,
    })
    panel.classList.add('padded')
    panel.replaceChildren(
      element('h2', {}, 'How others see you'),
      element('label', { for: 'my-name' }, 'Your name'),
      input,
      this.#swatches(),
    )
  }

  #swatches(): HTMLElement {
    const choices = PALETTE.map((color, index) => {
      const radio = element('input', {
        class: 'unseen',
        type: 'radio',
        name: 'my-color',
        'aria-label': PALETTE_NAMES[index] ?? color,
        checked: color === this.#person.color,
        onchange: () => this.#change({ color }),
      })
      const swatch = element('span')
      paint(swatch, { name: '', color })
      return element('label', {}, radio, swatch)
    })
    return element('fieldset', { class: 'swatches' }, element('legend', {}, 'Your colour'), ...choices)
  }
}
