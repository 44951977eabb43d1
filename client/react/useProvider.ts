import { useCallback, useMemo, useSyncExternalStore } from 'react'
import type { AckLevel, LinkStatus, Scope } from '../status.ts'
import type { WebsocketProvider } from '../provider.ts'

/** Where a document's connection stands. */
export interface ConnectionStatus {
  /** y-websocket's word for it. */
  readonly status: 'connecting' | 'connected' | 'disconnected'
  /** Whether the document was what the server had when it was last told, on this connection. */
  readonly synced: boolean
  /** The same in detail: when the next attempt begins, why access was denied. */
  readonly link: LinkStatus
  readonly scope: Scope
  /** What "saved" means on this connection. */
  readonly ackLevel: AckLevel
}

const OFFLINE: ConnectionStatus = {
  status: 'disconnected',
  synced: false,
  link: { name: 'offline' },
  scope: 'read-write',
  ackLevel: 'none',
}

/** Where the connection stands; a new object whenever something of it changes. `null`: offline. */
export function useConnectionStatus(provider: WebsocketProvider | null): ConnectionStatus {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (provider === null) return () => undefined
      for (const event of CONNECTION_EVENTS) provider.on(event, listener)
      return () => {
        for (const event of CONNECTION_EVENTS) provider.off(event, listener)
      }
    },
    [provider],
  )
  const read = useMemo(() => remembering(() => (provider === null ? OFFLINE : statusOf(provider))), [provider])
  return useSyncExternalStore(subscribe, read, offline)
}

/** How many edits are not saved yet. 0 while rendering on a server, and for `null`. */
export function useUnsavedChanges(provider: WebsocketProvider | null): number {
  const subscribe = useCallback(
    (listener: () => void) => {
      provider?.on('unsaved-changes', listener)
      return () => provider?.off('unsaved-changes', listener)
    },
    [provider],
  )
  return useSyncExternalStore(subscribe, () => provider?.unsavedChanges ?? 0, none)
}

const CONNECTION_EVENTS = ['link', 'status', 'synced', 'scope'] as const
const offline = (): ConnectionStatus => OFFLINE
const none = (): number => 0

function statusOf(provider: WebsocketProvider): ConnectionStatus {
  const status = provider.wsconnected ? 'connected' : provider.wsconnecting ? 'connecting' : 'disconnected'
  const { synced, linkStatus, scope, ackLevel } = provider
  return { status, synced, link: linkStatus, scope, ackLevel }
}

/** Hands out the same object as long as it says the same: React takes another object for a change. */
function remembering(read: () => ConnectionStatus): () => ConnectionStatus {
  let known: ConnectionStatus | null = null
  return () => {
    const now = read()
    if (known === null || !isSame(known, now)) known = now
    return known
  }
}

function isSame({ link: left, ...known }: ConnectionStatus, { link: right, ...now }: ConnectionStatus): boolean {
  return hasSameFields(known, now) && left.name === right.name && hasSameFields(left, right)
}

function hasSameFields<T extends object>(left: T, right: T): boolean {
  return (Object.keys(left) as (keyof T)[]).every((key) => Object.is(left[key], right[key]))
}
