import type { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { StoreOpener } from '../index.ts'
import { WebsocketProvider } from '../index.ts'
import { documentName, socketAddress, windowRole } from './net/address.ts'
import { Network } from './net/network.ts'

/** Milliseconds: nobody waits longer than this for the next attempt. */
const MAX_BACKOFF_MS = 5_000

/** The document of this page, and everything it is connected to. */
export interface Room {
  readonly name: string
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly provider: WebsocketProvider
  readonly network: Network
  /** Whether edits outlive the tab. */
  readonly isKept: boolean
}

export function openRoom(): Room {
  const name = documentName()
  const doc = new Y.Doc()
  const network = new Network()
  const environment = network.environment()
  const provider = new WebsocketProvider(socketAddress(), encodeURIComponent(name), doc, {
    environment,
    // What the panel does to the network is to be seen: another tab must not bring what the server cannot.
    disableBc: true,
    persistence: environment.openStore === null ? false : ownStore(environment.openStore, name),
    preventUnsavedChanges: true,
    maxBackoffTime: MAX_BACKOFF_MS,
  })
  return { name, doc, network, provider, awareness: provider.awareness, isKept: environment.openStore !== null }
}

/** Side by side, the second person has a device of their own; otherwise each would find the other's edits on it. */
function ownStore(open: StoreOpener, name: string): StoreOpener {
  const key = windowRole() === 'second' ? `${name}#second` : name
  return (_name, server) => open(key, server)
}
