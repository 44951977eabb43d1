import { useMemo, useSyncExternalStore } from 'react'
import * as Y from 'yjs'
import { WebsocketProvider } from '../provider.ts'
import type { ProviderOptions } from '../options.ts'

/** A document and its connection, as long as a component uses them. */
export interface OpenRoom {
  readonly doc: Y.Doc
  readonly provider: WebsocketProvider
}

export interface UseDocumentOptions extends Omit<ProviderOptions<WebsocketProvider>, 'awareness'> {
  /**
   * When the component goes away while edits are unsaved, the connection stays until they are saved, at most this long.
   * The people in the room see the user leave at once. Milliseconds, default 30 000.
   */
  readonly lingerMs?: number | undefined
}

const DEFAULT_LINGER_MS = 30_000

/**
 * Opens the document `name` of the server at `url` while the component is mounted: another name opens another document, and
 * leaving closes it. Null while rendering on a server and before the first effects have run.
 *
 * Each component that calls it has a document of its own; to share one, call it once and hand the result down. Options are
 * read when the document is opened.
 */
export function useDocument(url: string, name: string, options: UseDocumentOptions = {}): OpenRoom | null {
  // The options of the render that asked for another document: a new object in each render must not reopen it.
  const lease = useMemo(() => new Lease(url, name, options), [url, name])
  return useSyncExternalStore(lease.subscribe, lease.read, nothing)
}

const nothing = (): null => null

/**
 * Opens when somebody subscribes and closes when nobody does, because effects are the only thing that React undoes: what a
 * render makes, StrictMode makes twice and throws away once.
 */
class Lease {
  readonly #url: string
  readonly #name: string
  readonly #options: UseDocumentOptions
  #subscribers = 0
  #room: OpenRoom | null = null

  constructor(url: string, name: string, options: UseDocumentOptions) {
    this.#url = url
    this.#name = name
    this.#options = options
  }

  readonly read = (): OpenRoom | null => this.#room

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#subscribers += 1
    this.#room ??= open(this.#url, this.#name, this.#options)
    listener()
    return () => {
      this.#subscribers -= 1
      if (this.#subscribers > 0 || this.#room === null) return
      leave(this.#room, this.#options.lingerMs ?? DEFAULT_LINGER_MS)
      this.#room = null
    }
  }
}

/** Connects in a microtask: what StrictMode closes in the turn in which it was opened never had a socket. */
function open(url: string, name: string, options: UseDocumentOptions): OpenRoom {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, name, doc, { ...options, connect: false })
  if (options.connect ?? true) {
    queueMicrotask(() => {
      if (provider.linkStatus.name !== 'closed') provider.connect()
    })
  }
  return { doc, provider }
}

function leave(room: OpenRoom, lingerMs: number): void {
  const destroy = (): void => {
    room.provider.destroy()
    room.doc.destroy()
  }
  if (!room.provider.hasUnsyncedChanges) return destroy()
  room.provider.awareness.setLocalState(null)
  // Denied, too late or saved: there is nobody left to tell, and nothing left to do but to end.
  room.provider.whenSaved({ signal: AbortSignal.timeout(lingerMs) }).then(destroy, destroy)
}
