import * as Y from 'yjs'
import { WebsocketProvider } from '../../../client/index.ts'

/** What the test sees of the page. */
export interface Seen {
  readonly text: string
  readonly synced: boolean
  readonly unsaved: number
  readonly ackLevel: string
  readonly link: string
  readonly others: number
}

/** What the test does with it. */
export interface Controls {
  type(text: string): void
  save(): Promise<void>
  seen(): Seen
}

const server = new URLSearchParams(location.search).get('server') ?? ''
const multiplex = location.search.includes('multiplex')
const doc = new Y.Doc()
const provider = new WebsocketProvider(server, 'room', doc, {
  persistence: true,
  preventUnsavedChanges: true,
  multiplex,
})
const text = doc.getText('text')
provider.awareness.setLocalStateField('name', 'somebody')

const controls: Controls = {
  type: (added) => text.insert(text.length, added),
  save: () => provider.whenSaved(),
  seen: () => ({
    text: text.toJSON(),
    synced: provider.synced,
    unsaved: provider.unsavedChanges,
    ackLevel: provider.ackLevel,
    link: provider.linkStatus.name,
    others: provider.awareness.getStates().size - 1,
  }),
}

Object.assign(window, { controls })
