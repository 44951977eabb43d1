import { EditorState } from '@codemirror/state'
import { EditorView, basicSetup } from 'codemirror'
import { yCollab } from 'y-codemirror.next'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { exposeDocument, roomName, socketOrigin } from './wholeDocument.ts'

const ydoc = new Y.Doc()
const provider = new WebsocketProvider(socketOrigin(), roomName(), ydoc, { disableBc: true })
const code = ydoc.getText('code')
exposeDocument(ydoc)

const state = EditorState.create({
  doc: code.toJSON(),
  extensions: [basicSetup, yCollab(code, provider.awareness, { undoManager: new Y.UndoManager(code) })],
})
new EditorView({ state, parent: document.body }).focus()
