import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { StarterKit } from '@tiptap/starter-kit'
import { HocuspocusProvider } from 'hocuspocus-provider-4'
import * as Y from 'yjs'
import { exposeDocument, roomName, socketOrigin } from './wholeDocument.ts'

const ydoc = new Y.Doc()
const provider = new HocuspocusProvider({ url: socketOrigin(), name: roomName(), document: ydoc })
exposeDocument(ydoc)

const editor = new Editor({
  element: document.body,
  autofocus: true,
  extensions: [
    StarterKit.configure({ undoRedo: false, trailingNode: false }),
    Collaboration.configure({ document: ydoc }),
  ],
})

addEventListener('pagehide', () => {
  editor.destroy()
  provider.destroy()
})
