import * as hocuspocus2 from 'hocuspocus-provider-2'
import * as hocuspocus3 from 'hocuspocus-provider-3'
import * as hocuspocus4 from 'hocuspocus-provider-4'
import { WebSocket } from 'ws'
import { Awareness } from 'y-protocols/awareness'
import * as yWebsocket31 from 'y-websocket'
import * as yWebsocket1 from 'y-websocket-1'
import * as yWebsocket2 from 'y-websocket-2'
import * as yWebsocket30 from 'y-websocket-30'
import * as Y from 'yjs'
import * as ourClient from '../../client/index.ts'
import { eventually } from './eventually.ts'

// Every y-websocket provider adds a listener to `process`; Node warns above ten.
process.setMaxListeners(0)

const yWebsocketKinds = ['y-websocket 1', 'y-websocket 2', 'y-websocket 3.0', 'y-websocket 3.1', 'ours'] as const
export const hocuspocusKinds = ['hocuspocus 2', 'hocuspocus 3', 'hocuspocus 4'] as const
/** Ours again, with Hocuspocus' framing. */
const sharedKind = 'ours, shared socket'
export const clientKinds = [...yWebsocketKinds, ...hocuspocusKinds, sharedKind] as const

type YWebsocketKind = (typeof yWebsocketKinds)[number] | typeof sharedKind
export type HocuspocusKind = (typeof hocuspocusKinds)[number]
export type ClientKind = (typeof clientKinds)[number]

export interface ClientOptions {
  /** Default true. */
  readonly connect?: boolean
  /** Presence; null = none at all. Default: `{ name: <kind> }`. */
  readonly presence?: Readonly<Record<string, unknown>> | null
  readonly token?: string | (() => Promise<string>)
}

/** What all have in common, so that one test drives them all. */
export interface Client {
  readonly kind: ClientKind
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly synced: boolean
  /** Sockets it has opened so far: more than one means that it has reconnected. */
  readonly sockets: readonly WebSocket[]
  connect(): void
  /** As the provider itself does it, with whatever goodbye it says; resolves when it may connect again. */
  disconnect(): Promise<void>
  /** Its socket is gone without a close frame, and it does not come back by itself. */
  die(): void
  destroy(): void
}

export interface HocuspocusClient extends Client {
  readonly provider: HocuspocusProvider
  readonly socket: HocuspocusSocket
  /** Every value `unsyncedChanges` has had. */
  readonly unsynced: readonly number[]
}

/** What is common to the providers of three versions. */
export interface HocuspocusProvider {
  readonly document: Y.Doc
  readonly synced: boolean
  readonly unsyncedChanges: number
  forceSync(): void
  destroy(): void
  attach?(): void
  on(event: string, listener: (payload: unknown) => void): unknown
}

export interface HocuspocusSocket {
  readonly status: string
  shouldConnect: boolean
  connect(): Promise<unknown>
  disconnect(): void
  destroy(): void
}

interface HocuspocusModule {
  readonly HocuspocusProvider: new (configuration: HocuspocusConfiguration) => HocuspocusProvider
  readonly HocuspocusProviderWebsocket: new (configuration: Record<string, unknown>) => HocuspocusSocket
}

export interface HocuspocusConfiguration {
  readonly name: string
  readonly websocketProvider: HocuspocusSocket
  readonly document: Y.Doc
  readonly awareness?: Awareness | null
  readonly token?: string | (() => Promise<string>)
  readonly broadcast?: boolean
  readonly sessionAwareness?: boolean
}

interface YWebsocketProvider {
  readonly synced: boolean
  shouldConnect: boolean
  connect(): void
  disconnect(): void
  destroy(): void
}

interface YWebsocketModule {
  readonly WebsocketProvider: new (
    url: string,
    room: string,
    doc: Y.Doc,
    options: Record<string, unknown>,
  ) => YWebsocketProvider
}

// Their own declarations differ in what they say about events and sockets; what is used here is the same in all.
const yWebsocketModules = {
  'y-websocket 1': yWebsocket1,
  'y-websocket 2': yWebsocket2,
  'y-websocket 3.0': yWebsocket30,
  'y-websocket 3.1': yWebsocket31,
  ours: ourClient,
  [sharedKind]: ourClient,
} as unknown as Readonly<Record<YWebsocketKind, YWebsocketModule>>

const hocuspocusModules = {
  'hocuspocus 2': hocuspocus2,
  'hocuspocus 3': hocuspocus3,
  'hocuspocus 4': hocuspocus4,
} as unknown as Readonly<Record<HocuspocusKind, HocuspocusModule>>

/** A `WebSocket` for one client that notes every socket it opens. */
function notingWebSocket(sockets: WebSocket[]): new (url: string, protocols?: string[]) => WebSocket {
  return class extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols)
      sockets.push(this)
      // Hocuspocus' provider takes its listeners away before it closes a socket that is still connecting; 'close' follows.
      this.on('error', () => undefined)
    }
  }
}

function presenceOf(awareness: Awareness, kind: ClientKind, options: ClientOptions): void {
  if (options.presence === null) awareness.setLocalState(null)
  else awareness.setLocalState(options.presence ?? { name: kind })
}

/** Whether this kind of client names its document by the URL, which is escaped, or in messages. */
export function usesPath(kind: ClientKind): boolean {
  return !isHocuspocus(kind) && kind !== sharedKind
}

/** Opens `room` with a provider of this kind. `url`: `ws://host:port`. */
export function openClient(kind: ClientKind, url: string, room: string, options: ClientOptions = {}): Client {
  return isHocuspocus(kind) ? openHocuspocus(kind, url, room, options) : openYWebsocket(kind, url, room, options)
}

function isHocuspocus(kind: ClientKind): kind is HocuspocusKind {
  return (hocuspocusKinds as readonly string[]).includes(kind)
}

function openYWebsocket(kind: YWebsocketKind, url: string, room: string, options: ClientOptions = {}): Client {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const sockets: WebSocket[] = []
  presenceOf(awareness, kind, options)
  const provider = new yWebsocketModules[kind].WebsocketProvider(url, room, doc, {
    awareness,
    connect: options.connect ?? true,
    disableBc: true,
    WebSocketPolyfill: notingWebSocket(sockets),
    maxBackoffTime: 200,
    // Ours; others ignore these two. A world of its own: what is shared with nobody is one client's socket.
    multiplex: kind === sharedKind,
    environment: { ...ourClient.systemEnvironment },
    params: typeof options.token === 'string' ? { token: options.token } : {},
  })
  return {
    kind,
    doc,
    awareness,
    sockets,
    get synced() {
      return provider.synced
    },
    connect: () => provider.connect(),
    disconnect: () => {
      provider.disconnect()
      return Promise.resolve()
    },
    die: () => {
      provider.shouldConnect = false
      sockets.at(-1)?.terminate()
    },
    destroy: () => {
      provider.destroy()
      awareness.destroy()
      doc.destroy()
    },
  }
}

/** A socket for Hocuspocus providers, with their own back-off shortened. */
export function openHocuspocusSocket(
  kind: HocuspocusKind,
  url: string,
  connect = true,
): { socket: HocuspocusSocket; sockets: WebSocket[] } {
  const sockets: WebSocket[] = []
  const socket = new hocuspocusModules[kind].HocuspocusProviderWebsocket({
    url,
    connect, //     version 2
    autoConnect: connect, // versions 3 and 4
    WebSocketPolyfill: notingWebSocket(sockets),
    delay: 100,
    minDelay: 20,
    maxDelay: 200,
  })
  return { socket, sockets }
}

/** A provider on a socket that others may share. */
export function attachHocuspocus(kind: HocuspocusKind, configuration: HocuspocusConfiguration): HocuspocusProvider {
  const provider = new hocuspocusModules[kind].HocuspocusProvider({ broadcast: false, ...configuration })
  if (kind !== 'hocuspocus 2') provider.attach?.() // version 2 attaches itself
  return provider
}

export function openHocuspocus(
  kind: HocuspocusKind,
  url: string,
  room: string,
  options: ClientOptions = {},
): HocuspocusClient {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  presenceOf(awareness, kind, options)
  const { socket, sockets } = openHocuspocusSocket(kind, url, options.connect)
  const token = options.token === undefined ? {} : { token: options.token }
  const provider = attachHocuspocus(kind, { name: room, websocketProvider: socket, document: doc, awareness, ...token })
  const unsynced: number[] = []
  provider.on('unsyncedChanges', () => unsynced.push(provider.unsyncedChanges))
  return {
    kind,
    doc,
    awareness,
    sockets,
    provider,
    socket,
    unsynced,
    get synced() {
      return provider.synced
    },
    connect: () => void socket.connect(),
    disconnect: () => {
      socket.disconnect()
      // Until it has noticed its own close, `connect` does nothing.
      return eventually(() => socket.status === 'disconnected', `${kind} has closed its socket`)
    },
    die: () => {
      socket.shouldConnect = false
      sockets.at(-1)?.terminate()
    },
    destroy: () => {
      provider.destroy()
      socket.destroy()
      awareness.destroy()
      doc.destroy()
    },
  }
}

/** Names of all whose presence this client sees, its own included, in order. */
export function namesSeenBy(client: Client): string[] {
  return [...client.awareness.getStates().values()].map((state) => String(state['name'])).toSorted()
}

/** The text every test writes to. */
export function textOf(client: { readonly doc: Y.Doc }): string {
  return client.doc.getText('text').toJSON()
}

export function write(client: { readonly doc: Y.Doc }, text: string): void {
  const target = client.doc.getText('text')
  target.insert(target.length, text)
}
