import type { Editor } from '@tiptap/core'

const MAX_LENGTH = 80
const NONE = 'Untitled'

/** A document is called by its first words. */
export function titleOf(editor: Editor): string {
  let title = ''
  editor.state.doc.forEach((block) => {
    if (title === '') title = block.textContent.trim().slice(0, MAX_LENGTH)
  })
  return title === '' ? NONE : title
}

/** Keeps the title in the header and on the tab. */
export function followTitle(editor: Editor, heading: HTMLElement): void {
  const show = (): void => {
    const title = titleOf(editor)
    if (heading.textContent === title) return
    heading.textContent = title
    heading.title = title
    document.title = title === NONE ? 'Scriptorium' : `${title} – Scriptorium`
  }
  editor.on('update', show)
  show()
}
