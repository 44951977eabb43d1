import type { SocketLike } from 'scriptorium/client'
import * as Y from 'yjs'
import { Awareness } from 'y-protocols/awareness'
import type { SubjectName } from './clientName.ts'

/** A document with whatever connects it. */
export interface Opened {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly isSynced: boolean
  whenSynced(): Promise<void>
  destroy(): void
}

export type SocketClass = new (url: string, protocols?: string | string[]) => SocketLike

/** `url`: `ws://host:port`. */
export type Open = (url: string, room: string, socketClass: SocketClass) => Opened

/** What is used of the two that have it in common. */
interface YWebsocketLike {
  readonly synced: boolean
  readonly awareness: Awareness
  once(event: 'synced', listener: () => void): unknown
  destroy(): void
}

interface YWebsocketModule {
  readonly WebsocketProvider: new (
    url: string,
    room: string,
    doc: Y.Doc,
    options: { readonly disableBc: boolean; readonly WebSocketPolyfill: SocketClass },
  ) => YWebsocketLike
}

function openerOf({ WebsocketProvider }: YWebsocketModule): Open {
  return (url, room, WebSocketPolyfill) => {
    const doc = new Y.Doc()
    const provider = new WebsocketProvider(url, room, doc, { disableBc: true, WebSocketPolyfill })
    return {
      doc,
      awareness: provider.awareness,
      get isSynced() {
        return provider.synced
      },
      whenSynced: () => new Promise((resolve) => void (provider.synced ? resolve() : provider.once('synced', resolve))),
      destroy: () => {
        provider.destroy()
        doc.destroy() // y-websocket leaves its presence to it
      },
    }
  }
}

async function hocuspocusOpener(): Promise<Open> {
  const { HocuspocusProvider } = await import('hocuspocus-provider-4')
  return (url, name, WebSocketPolyfill) => {
    const document = new Y.Doc()
    const provider = new HocuspocusProvider({ url, name, document, WebSocketPolyfill } as never)
    return {
      doc: document,
      awareness: provider.awareness as Awareness,
      get isSynced() {
        return provider.synced
      },
      whenSynced: () => new Promise((resolve) => void (provider.synced ? resolve() : provider.on('synced', resolve))),
      destroy: () => {
        provider.destroy()
        document.destroy()
      },
    }
  }
}

function openNothing(): Opened {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  return { doc, awareness, isSynced: true, whenSynced: () => Promise.resolve(), destroy: () => doc.destroy() }
}

/** Loads one client and no other. Ours comes built, as others get it. */
export async function loadProvider(name: SubjectName): Promise<Open> {
  if (name === 'ours') return openerOf(await import('scriptorium/client'))
  // Its declarations differ in what they say about sockets; what is used here is the same.
  if (name === 'y-websocket') return openerOf((await import('y-websocket')) as unknown as YWebsocketModule)
  return name === 'hocuspocus' ? hocuspocusOpener() : openNothing
}
