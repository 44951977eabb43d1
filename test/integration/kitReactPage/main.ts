import { createElement, StrictMode, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useConnectionStatus, useDocument, usePresence, useUnsavedChanges } from '../../../client/react/index.ts'
import type { OpenRoom } from '../../../client/react/index.ts'

/** What the page shows, as JSON in `#seen`; what it can be told to do, on `window`. */
export interface Seen {
  readonly name: string
  readonly text: string | null
  readonly status: string
  readonly synced: boolean
  readonly link: string
  readonly unsaved: number
  readonly self: unknown
  readonly others: readonly unknown[]
}

declare global {
  interface Window {
    /** Sockets that are not closed. */
    openSockets: () => number
    socketsSoFar: () => number
    /** Documents that were opened and not destroyed. */
    openDocuments: () => number
    /** Mounts the app on a document; null: unmounts it. */
    show: (name: string | null) => void
    write: (text: string) => void
    call: (name: string) => void
    /** How often the app has rendered. */
    renders: number
  }
}

const sockets: WebSocket[] = []
window.WebSocket = class extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols)
    sockets.push(this)
  }
}
window.openSockets = () => sockets.filter((socket) => socket.readyState !== WebSocket.CLOSED).length
window.socketsSoFar = () => sockets.length
window.renders = 0

const rooms = new Set<OpenRoom>()
window.openDocuments = () => [...rooms].filter(({ doc }) => !doc.isDestroyed).length
const origin = location.origin.replace(/^http/, 'ws')

function App({ name }: { readonly name: string }) {
  window.renders += 1
  const room = useDocument(origin, name, { lingerMs: 10_000 })
  const provider = room?.provider ?? null
  const { status, synced, link } = useConnectionStatus(provider)
  const unsaved = useUnsavedChanges(provider)
  const { self, others, update } = usePresence<{ name: string }>(provider)
  const [text, setText] = useState<string | null>(null)
  useEffect(() => {
    if (room === null) return undefined
    rooms.add(room)
    const shared = room.doc.getText('text')
    const show = (): void => setText(shared.toJSON())
    shared.observe(show)
    show()
    window.write = (added) => shared.insert(shared.length, added)
    window.call = (own) => update({ name: own })
    return () => shared.unobserve(show)
  }, [room, update])
  const seen: Seen = { name, text, status, synced, link: link.name, unsaved, self, others }
  return createElement('pre', { id: 'seen' }, JSON.stringify(seen))
}

const root = createRoot(document.querySelector('#root') ?? document.body)
window.show = (name) => {
  root.render(name === null ? null : createElement(StrictMode, null, createElement(App, { name })))
}
