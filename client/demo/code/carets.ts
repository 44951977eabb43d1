import { Annotation } from '@codemirror/state'
import type { Extension, Range } from '@codemirror/state'
import { Decoration, ViewPlugin, WidgetType } from '@codemirror/view'
import type { DecorationSet, EditorView, PluginValue, ViewUpdate } from '@codemirror/view'
import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { buildCaret } from '../people/caret.ts'
import type { Person } from '../people/person.ts'
import { readPerson } from '../people/person.ts'
import { indexOf } from './positions.ts'

/** Something in the presence of others has changed. */
const presenceChanged = Annotation.define<boolean>()

/** One line of someone's presence. */
interface RemoteSelection {
  readonly client: number
  readonly person: Person
  readonly anchor: number
  readonly head: number
}

/**
 * Carets and selections of everyone else. The binding brings its own, which writes `style` attributes that the page's
 * Content-Security-Policy forbids.
 */
export function carets(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => new Carets(view, text, awareness), { decorations: (plugin) => plugin.decorations })
}

class Carets implements PluginValue {
  decorations: DecorationSet = Decoration.none
  readonly #text: Y.Text
  readonly #awareness: Awareness
  readonly #onChange: () => void

  constructor(view: EditorView, text: Y.Text, awareness: Awareness) {
    this.#text = text
    this.#awareness = awareness
    // Not at once: presence may change while the view is in the middle of an update.
    this.#onChange = () => queueMicrotask(() => view.dispatch({ annotations: presenceChanged.of(true) }))
    awareness.on('change', this.#onChange)
    this.decorations = this.#decorate(view.state.doc.length)
  }

  update({ view, docChanged, transactions, selectionSet, focusChanged }: ViewUpdate): void {
    if (selectionSet || focusChanged || docChanged) this.#tell(view)
    const isPresence = transactions.some((transaction) => transaction.annotation(presenceChanged) === true)
    if (docChanged || isPresence) this.decorations = this.#decorate(view.state.doc.length)
  }

  destroy(): void {
    this.#awareness.off('change', this.#onChange)
  }

  /** Our own caret, while this editor has the focus. */
  #tell(view: EditorView): void {
    const { anchor, head } = view.state.selection.main
    const relative = (index: number): Y.RelativePosition => Y.createRelativePositionFromTypeIndex(this.#text, index)
    const current: unknown = this.#awareness.getLocalState()?.['cursor'] ?? null
    const cursor = view.hasFocus ? { anchor: relative(anchor), head: relative(head) } : null
    const isOther = current !== null && indexOf(this.#text, (current as { head?: unknown }).head) === null
    if (cursor === null && (current === null || isOther)) return
    if (JSON.stringify(cursor) !== JSON.stringify(current)) this.#awareness.setLocalStateField('cursor', cursor)
  }

  #decorate(length: number): DecorationSet {
    const ranges = this.#selections(length).flatMap((selection) => decorations(selection))
    return Decoration.set(ranges, true)
  }

  #selections(length: number): RemoteSelection[] {
    const others = [...this.#awareness.getStates()].filter(([client]) => client !== this.#awareness.clientID)
    return others.flatMap(([client, state]) => {
      const person = readPerson(state['user'])
      const cursor = state['cursor'] as { readonly anchor?: unknown; readonly head?: unknown } | null | undefined
      const anchor = indexOf(this.#text, cursor?.anchor)
      const head = indexOf(this.#text, cursor?.head)
      if (person === undefined || anchor === null || head === null) return []
      return [{ client, person, anchor: Math.min(anchor, length), head: Math.min(head, length) }]
    })
  }
}

function decorations({ client, person, anchor, head }: RemoteSelection): Range<Decoration>[] {
  const caret = Decoration.widget({ side: head > anchor ? -1 : 1, widget: new CaretWidget(client, person) }).range(head)
  if (anchor === head) return [caret]
  const marked = Decoration.mark({ attributes: { style: `background-color: ${person.color}47` } })
  return [marked.range(Math.min(anchor, head), Math.max(anchor, head)), caret]
}

class CaretWidget extends WidgetType {
  readonly #client: number
  readonly #person: Person

  constructor(client: number, person: Person) {
    super()
    this.#client = client
    this.#person = person
  }

  override eq(other: CaretWidget): boolean {
    return this.#client === other.#client
  }

  toDOM(): HTMLElement {
    return buildCaret(this.#person, this.#client)
  }

  override ignoreEvent(): boolean {
    return true
  }
}
