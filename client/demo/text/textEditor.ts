import { Editor } from '@tiptap/core'
import { caretsOf } from '../people/caret.ts'
import type { Room } from '../room.ts'
import type { Anchor, Passage, Surface } from '../surface.ts'
import { scrollTo } from '../ui/scroll.ts'
import type { Unknown } from './contentCheck.ts'
import { guardContent } from './contentGuard.ts'
import { editorExtensions } from './extensions.ts'
import { surviveLostCaret } from './lostCaret.ts'
import { withoutStyles } from './pastedStyles.ts'
import { insertPictures, picturesIn } from './pictures.ts'
import { anchorAt, rangeOf } from './positions.ts'
import { markRemarks } from './remarks.ts'
import { startCaret } from './startCaret.ts'

/** Characters of a passage that are repeated where it is commented on. */
const QUOTE_LENGTH = 160

/** The rich text of a document. */
export class TextEditor implements Surface {
  readonly editor: Editor
  readonly #room: Room
  readonly #container: HTMLElement

  constructor(room: Room, container: HTMLElement) {
    this.#room = room
    this.#container = container
    this.editor = createEditor(room)
  }

  /**
   * Shows the text as it is in the document now, and from now on.
   *
   * @param onRefused the document holds something this editor does not know, and is not touched by it any more
   */
  start(onRefused: (unknown: Unknown) => void): void {
    const refuse = (unknown: Unknown): void => {
      this.#freeze()
      onRefused(unknown)
    }
    const isKnown = guardContent(this.#room.doc.getXmlFragment('default'), this.editor.schema, refuse)
    if (!isKnown) return
    this.editor.mount(this.#container)
    surviveLostCaret(this.editor)
    startCaret(this.editor, this.#room.provider, this.#container)
  }

  /** False once the document turned out to hold something unknown. */
  get isShown(): boolean {
    return !this.#container.classList.contains('frozen')
  }

  focus(): void {
    if (!this.isShown) return
    this.editor.view.focus() // the editor's own command would wait for the next frame
    this.editor.commands.scrollIntoView()
  }

  passage(): Passage | null {
    if (!this.isShown) return null
    const { state } = this.editor
    const { from, to, empty } = state.selection
    const anchor = empty ? null : anchorAt(state, { from, to })
    return anchor === null ? null : { anchor, text: state.doc.textBetween(from, to, ' ').slice(0, QUOTE_LENGTH) }
  }

  mark(anchors: readonly Anchor[]): void {
    if (this.isShown) this.editor.view.dispatch(markRemarks(this.editor.state.tr, anchors))
  }

  goTo(anchor: Anchor): void {
    const range = this.isShown ? rangeOf(this.editor.state, anchor) : null
    if (range !== null) this.editor.chain().focus().setTextSelection(range).scrollIntoView().run()
  }

  reveal(client: number): void {
    const [caret] = caretsOf(this.#container, client)
    if (caret !== undefined) scrollTo(caret)
  }

  setEditable(isEditable: boolean): void {
    if (this.isShown && this.editor.isEditable !== isEditable) this.editor.setEditable(isEditable)
  }

  /** Leaves what was shown last as a picture of the text, bound to nothing. */
  #freeze(): void {
    const view = this.#container.querySelector('.ProseMirror')
    const picture = view?.cloneNode(true)
    this.editor.unmount()
    this.#container.classList.add('frozen')
    if (!(picture instanceof HTMLElement)) return
    picture.contentEditable = 'false'
    this.#container.replaceChildren(picture)
  }
}

function createEditor(room: Room): Editor {
  const editor = new Editor({
    element: null,
    injectCSS: false,
    extensions: editorExtensions(room),
    editorProps: {
      attributes: { 'aria-label': 'Document text', role: 'textbox', 'aria-multiline': 'true', spellcheck: 'true' },
      transformPastedHTML: withoutStyles,
      handlePaste: (_view, event) => {
        const pictures = picturesIn(event.clipboardData)
        void insertPictures(editor, pictures, null)
        return pictures.length > 0
      },
      handleDrop: (view, event) => {
        const pictures = picturesIn(event.dataTransfer)
        if (pictures.length === 0) return false
        event.preventDefault()
        const position = view.posAtCoords({ left: event.clientX, top: event.clientY })?.pos ?? null
        void insertPictures(editor, pictures, position)
        return true
      },
    },
  })
  return editor
}
