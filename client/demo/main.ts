import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from 'hocuspocus-provider-4'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { documentName, socketAddress } from './address.ts'
import { watchSaving } from './mark.ts'
import { renderCaret, watchPeople } from './people.ts'
import { recallPerson, rememberPerson } from './person.ts'
import type { Person } from './person.ts'
import { wireToolbar } from './toolbar.ts'

const RECONNECT_WITHIN_MS = 4_000
const COPIED_FOR_MS = 2_000

const me = recallPerson()
const ydoc = new Y.Doc()
const awareness = new Awareness(ydoc)
const socket = new HocuspocusProviderWebsocket({ url: socketAddress(), maxDelay: RECONNECT_WITHIN_MS })
const provider = new HocuspocusProvider({ name: documentName(), document: ydoc, awareness, websocketProvider: socket })

watchSaving(provider, byId('mark'), announce)
watchPeople(awareness, byId('people'), announce)
provider.attach()

const editor = new Editor({
  element: byId('editor'),
  injectCSS: false,
  editorProps: { attributes: { 'aria-label': 'Document text', role: 'textbox', 'aria-multiline': 'true' } },
  extensions: [
    StarterKit.configure({
      undoRedo: false, // undo must be each author's own, which Collaboration brings
      trailingNode: false, // a shared document holds what people typed, nothing added on their behalf
      link: { openOnClick: false },
    }),
    Collaboration.configure({ document: ydoc }),
    CollaborationCaret.configure({ provider, user: me, render: renderCaret }),
  ],
})
wireToolbar(byId('toolbar'), editor)
wireIdentity(me)
wireCopying(byId('copy'))
addEventListener('hashchange', () => {
  location.reload()
})

function wireIdentity(person: Person): void {
  const name = byId('my-name') as HTMLInputElement
  const color = byId('my-color') as HTMLInputElement
  name.value = person.name
  color.value = person.color
  const change = (): void => {
    const changed = { name: name.value.trim() || person.name, color: color.value }
    rememberPerson(changed)
    editor.commands.updateUser(changed)
  }
  name.addEventListener('input', change)
  color.addEventListener('input', change)
}

function wireCopying(button: HTMLElement): void {
  const words = button.textContent
  let reset: ReturnType<typeof setTimeout> | undefined
  const copied = (): void => {
    button.textContent = 'Copied'
    announce('Link copied')
    clearTimeout(reset)
    reset = setTimeout(() => {
      button.textContent = words
    }, COPIED_FOR_MS)
  }
  button.addEventListener('click', () => {
    // Browsers offer the clipboard to secure pages only; over plain HTTP the reader copies it by hand.
    if (!isSecureContext) prompt('Copy this link', location.href)
    else
      navigator.clipboard.writeText(location.href).then(copied, () => {
        prompt('Copy this link', location.href)
      })
  })
}

function announce(text: string): void {
  byId('announcements').textContent = text
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`index.html has no #${id}`)
  return element
}
