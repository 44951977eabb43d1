import type { Editor } from '@tiptap/core'
import * as Y from 'yjs'
import type { Room } from '../room.ts'
import { download, fileName } from './download.ts'
import type { FormatId } from './formats.ts'
import { toHtml } from './html.ts'
import { htmlPage } from './htmlPage.ts'

export interface Source {
  readonly editor: Editor
  readonly room: Room
  /** Names the file. */
  readonly title: string
}

/** Hands the document to the reader as a file. */
export async function exportAs(format: FormatId, { editor, room: { doc }, title }: Source): Promise<void> {
  const save = (type: string, content: string | Uint8Array<ArrayBuffer>, extension: string = format): void =>
    download(fileName(title, extension), type, content)
  switch (format) {
    case 'html':
      return save('text/html', htmlPage(title, toHtml(editor.state.doc)))
    case 'md': {
      const { toMarkdown } = await import('./markdown.ts')
      return save('text/markdown', toMarkdown(editor.getJSON()))
    }
    case 'json':
      return save('application/json', `${JSON.stringify(editor.getJSON(), null, 2)}\n`)
    case 'code':
      return save('text/plain', doc.getText('code').toJSON(), 'txt')
    case 'ydoc':
      return save('application/octet-stream', new Uint8Array(Y.encodeStateAsUpdate(doc)))
  }
}
