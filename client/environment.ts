/** Time, as the client sees it. `FakeClock` of the testing kit drives it by hand. */
export interface ClientClock {
  /** Milliseconds on a monotonic scale with an arbitrary origin. Never wall-clock time. */
  now(): number
  /** Runs `task` once, after the code that runs now: a microtask. */
  endOfTurn(task: () => void): void
  /** Runs `task` once, `milliseconds` from now; the returned function cancels it. */
  after(milliseconds: number, task: () => void): () => void
}

/**
 * The part of a WebSocket that is used. Handlers take `never`, so that the DOM's class, that of `ws` and a test's own are
 * all assignable; they are called with the events the DOM describes.
 */
export interface SocketLike {
  binaryType: string
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number
  /** Bytes given to `send` that the network has not taken yet. */
  readonly bufferedAmount: number
  onopen: ((event: never) => void) | null
  onmessage: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  send(data: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
}

export type SocketClass = new (url: string, protocols?: string | string[]) => SocketLike

/** What happens to the page (or process) around the client. */
export type PageEvent =
  /** The machine has a network again, as far as the browser knows. */
  | 'online'
  | 'offline'
  | 'visible'
  | 'hidden'
  /** The page is being left; nothing that takes time may be started any more. */
  | 'pagehide'
  /** It came back from the browser's back-forward cache. */
  | 'returned'

export interface Page {
  readonly isHidden: boolean
  /** The returned function ends it. */
  watch(listener: (event: PageEvent) => void): () => void
  /** From now until the returned function is called, closing the page asks the user first. */
  preventClose(): () => void
}

/** The other tabs of this browser. What is published reaches all subscribers of the channel but the given `origin`. */
export interface Tabs {
  subscribe(channel: string, origin: object, listener: (data: Uint8Array) => void): () => void
  publish(channel: string, origin: object, data: Uint8Array): void
}

/** What a store has kept of one document. */
export interface StoredDocument {
  /** Yjs updates (format V1), oldest first. */
  readonly updates: readonly Uint8Array[]
  /** How many of them may never have reached the server. */
  readonly unsaved: number
}

/** One document, kept on this device. Calls are carried out in their order; each rejects when the store fails. */
export interface DocumentStore {
  load(): Promise<StoredDocument>
  /** @param isSaved as if `markSaved` followed */
  append(update: Uint8Array, isSaved: boolean): Promise<void>
  /** Everything loaded and appended through this object is on the server; other tabs may have appended more. */
  markSaved(): Promise<void>
  /** Removes the document from this device. */
  clear(): Promise<void>
  close(): Promise<void>
}

/**
 * Opens the store of the document of this name. `server`: the provider's `serverUrl`, which is what entries are saved on or
 * not; one server knows nothing of what another has.
 */
export type StoreOpener = (name: string, server: string) => DocumentStore | Promise<DocumentStore>

/** Everything a provider gets from the outside: replaced as a whole by tests, so that a seeded history runs without real time. */
export interface Environment {
  readonly clock: ClientClock
  /** 0 ≤ result < 1. */
  random(): number
  /** The class for sockets when the `WebSocketPolyfill` option names none. */
  webSocket(): SocketClass | Promise<SocketClass>
  readonly page: Page
  /** Null: there are no other tabs. */
  readonly tabs: Tabs | null
  /** Null: nothing can be kept on this device. */
  readonly openStore: StoreOpener | null
}
