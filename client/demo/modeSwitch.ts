import { openingMode, rememberMode } from './net/address.ts'
import type { Mode } from './net/address.ts'
import type { Stage } from './people/follower.ts'
import type { Room } from './room.ts'
import type { Anchor, Surface } from './surface.ts'
import type { TextEditor } from './text/textEditor.ts'
import { byId } from './ui/element.ts'

/** The two editors of a document, one of which is shown. The code editor is loaded when it is wanted. */
export class ModeSwitch implements Stage {
  readonly main = byId('main')
  readonly #room: Room
  readonly #text: TextEditor
  readonly #buttons = [...byId('modes').querySelectorAll('button')]
  #code: Promise<Surface> | null = null
  #loaded: Surface | null = null
  #mode: Mode = 'text'
  #anchors: readonly Anchor[] = []
  #isEditable = true

  constructor(room: Room, text: TextEditor) {
    this.#room = room
    this.#text = text
    for (const button of this.#buttons) {
      button.addEventListener('click', () => {
        void this.#enter(button.dataset['mode'] === 'code' ? 'code' : 'text').then(() => this.surface?.focus())
      })
    }
  }

  get mode(): Mode {
    return this.#mode
  }

  /** Null while the code editor is being loaded. */
  get surface(): Surface | null {
    return this.#mode === 'text' ? this.#text : this.#loaded
  }

  /** Shows the page the address asks for. */
  start(): Promise<void> {
    return this.#enter(openingMode())
  }

  show(mode: Mode): void {
    if (mode !== this.#mode) void this.#enter(mode)
  }

  toggle(): void {
    void this.#enter(this.#mode === 'text' ? 'code' : 'text').then(() => this.surface?.focus())
  }

  async goTo(anchor: Anchor): Promise<void> {
    await this.#enter(anchor.mode)
    this.surface?.goTo(anchor)
  }

  mark(anchors: readonly Anchor[]): void {
    this.#anchors = anchors
    this.#text.mark(anchors)
    this.#loaded?.mark(anchors)
  }

  setEditable(isEditable: boolean): void {
    this.#isEditable = isEditable
    this.#text.setEditable(isEditable)
    this.#loaded?.setEditable(isEditable)
  }

  async #enter(mode: Mode): Promise<void> {
    this.#mode = mode
    this.#room.awareness.setLocalStateField('mode', mode)
    rememberMode(mode)
    for (const button of this.#buttons) button.setAttribute('aria-pressed', String(button.dataset['mode'] === mode))
    byId('text').hidden = mode === 'code'
    byId('toolbar').hidden = mode === 'code'
    byId('code').hidden = mode === 'text'
    byId('code-toolbar').hidden = mode === 'text'
    this.main.classList.toggle('code', mode === 'code')
    if (mode === 'code') await (this.#code ??= this.#load())
  }

  async #load(): Promise<Surface> {
    const [{ CodeEditor }, { fillCodeToolbar }] = await Promise.all([
      import('./code/codeEditor.ts'),
      import('./code/codeToolbar.ts'),
    ])
    const editor = new CodeEditor(this.#room, byId('code'))
    fillCodeToolbar(byId('code-toolbar'), editor, this.#room)
    editor.mark(this.#anchors)
    editor.setEditable(this.#isEditable)
    this.#loaded = editor
    return editor
  }
}
