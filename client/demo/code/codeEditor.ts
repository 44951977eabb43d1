import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, foldGutter, indentOnInput } from '@codemirror/language'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState } from '@codemirror/state'
import type { Extension } from '@codemirror/state'
import * as view from '@codemirror/view'
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next'
import * as Y from 'yjs'
import { caretsOf } from '../people/caret.ts'
import type { Room } from '../room.ts'
import type { Anchor, Passage, Surface } from '../surface.ts'
import { carets } from './carets.ts'
import { LANGUAGES } from './languages.ts'
import type { LanguageId } from './languages.ts'
import { anchorAt, indexOf, rangeOf } from './positions.ts'
import { markRemarks, remarks } from './remarks.ts'
import { theme } from './theme.ts'

/** Characters of a passage that are repeated where it is commented on. */
const QUOTE_LENGTH = 160
/** Milliseconds within which edits are undone as one, as in the text. */
const CAPTURE_MS = 500

/** The code of a document. */
export class CodeEditor implements Surface {
  readonly #room: Room
  readonly #text: Y.Text
  readonly #view: view.EditorView
  readonly #undo: Y.UndoManager
  readonly #container: HTMLElement
  readonly #language = new Compartment()
  readonly #wrapping = new Compartment()
  readonly #editable = new Compartment()

  constructor(room: Room, container: HTMLElement) {
    this.#room = room
    this.#container = container
    this.#text = room.doc.getText('code')
    this.#undo = new Y.UndoManager(this.#text, { captureTimeout: CAPTURE_MS })
    container.dataset['shadow'] = ''
    // In a shadow, styles are adopted; in the page, CodeMirror would write a <style>, which the page's policy forbids.
    const root = container.attachShadow({ mode: 'open' })
    const state = EditorState.create({ doc: this.#text.toJSON(), extensions: this.#extensions() })
    this.#view = new view.EditorView({ state, parent: root, root })
  }

  focus(): void {
    this.#view.focus()
  }

  undo(): void {
    this.#undo.undo()
  }

  redo(): void {
    this.#undo.redo()
  }

  passage(): Passage | null {
    const { from, to, empty } = this.#view.state.selection.main
    if (empty) return null
    return {
      anchor: anchorAt(this.#text, { from, to }),
      text: this.#view.state.sliceDoc(from, to).slice(0, QUOTE_LENGTH),
    }
  }

  mark(anchors: readonly Anchor[]): void {
    const ranges = anchors.flatMap((anchor) => rangeOf(this.#text, anchor) ?? [])
    this.#view.dispatch({ effects: markRemarks.of(ranges) })
  }

  goTo(anchor: Anchor): void {
    const range = rangeOf(this.#text, anchor)
    if (range === null) return
    this.#view.dispatch({ selection: { anchor: range.from, head: range.to }, scrollIntoView: true })
    this.#view.focus()
  }

  reveal(client: number): void {
    const cursor = this.#room.awareness.getStates().get(client)?.['cursor'] as
      { readonly head?: unknown } | null | undefined
    const head = indexOf(this.#text, cursor?.head)
    const isShown = caretsOf(this.#container.shadowRoot ?? this.#container, client).some(isInside)
    if (head === null || isShown || head > this.#view.state.doc.length) return
    this.#view.dispatch({ effects: view.EditorView.scrollIntoView(head, { y: 'center' }) })
  }

  setEditable(isEditable: boolean): void {
    this.#view.dispatch({ effects: this.#editable.reconfigure(EditorState.readOnly.of(!isEditable)) })
  }

  setLanguage(id: LanguageId): void {
    this.#view.dispatch({ effects: this.#language.reconfigure(LANGUAGES[id].support()) })
  }

  setWrapping(isWrapped: boolean): void {
    this.#view.dispatch({ effects: this.#wrapping.reconfigure(isWrapped ? view.EditorView.lineWrapping : []) })
  }

  #extensions(): Extension {
    return [
      // A carriage return from elsewhere is a character: taken for a line's end, every later position would be off by one.
      EditorState.lineSeparator.of('\n'),
      view.lineNumbers(),
      foldGutter(),
      view.highlightSpecialChars(),
      view.drawSelection(),
      view.dropCursor(),
      view.highlightActiveLine(),
      view.highlightActiveLineGutter(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      highlightSelectionMatches(),
      view.keymap.of([
        ...closeBracketsKeymap,
        ...yUndoManagerKeymap,
        ...searchKeymap,
        ...defaultKeymap,
        indentWithTab, // Escape, then Tab leaves the editor
      ]),
      theme,
      remarks,
      this.#language.of(LANGUAGES.javascript.support()),
      this.#wrapping.of([]),
      this.#editable.of([]),
      view.EditorView.perLineTextDirection.of(true),
      view.EditorView.contentAttributes.of({ 'aria-label': 'Code' }),
      yCollab(this.#text, null, { undoManager: this.#undo }),
      carets(this.#text, this.#room.awareness),
    ]
  }
}

function isInside(caret: HTMLElement): boolean {
  const box = caret.getBoundingClientRect()
  const frame = caret.closest('.cm-scroller')?.getBoundingClientRect()
  return frame !== undefined && box.top >= frame.top && box.bottom <= frame.bottom
}
