import type { Editor } from '@tiptap/core'
import { tell } from '../ui/announce.ts'
import { PictureError, readPicture } from './imageFile.ts'

/** Puts pictures into the text, one after the other. @param position where; null: at the selection */
export async function insertPictures(editor: Editor, files: readonly File[], position: number | null): Promise<void> {
  for (const file of files) {
    try {
      const node = { type: 'image', attrs: { src: await readPicture(file), alt: describe(file) } }
      if (editor.isDestroyed) return
      if (position === null) editor.chain().focus().insertContent(node).run()
      else editor.commands.insertContentAt(Math.min(position, editor.state.doc.content.size), node)
    } catch (error) {
      if (!(error instanceof PictureError)) throw error
      tell(error.message)
    }
  }
}

/** The pictures in what is pasted or dropped; none when it is text that only brings a picture of itself along. */
export function picturesIn(data: DataTransfer | null): File[] {
  if (data === null || data.types.includes('text/html')) return []
  return [...data.files].filter((file) => file.type.startsWith('image/'))
}

/** Until somebody writes a better description, the file's name has to do. */
function describe(file: File): string {
  return file.name.replace(/\.[^.]+$/, '').replaceAll(/[_-]+/g, ' ')
}
