import type { ProviderError } from './errors.ts'
import type { Frame, LinkStatus, Scope, SyncStatus } from './status.ts'

/** Everything a provider emits; the first six are y-websocket's, in its order. */
export interface ProviderEvents<Provider> {
  status: (event: { status: 'connecting' | 'connected' | 'disconnected' }) => void
  /** The document is, or is no longer, what the server has. */
  synced: (state: boolean) => void
  /** The same, after it. */
  sync: (state: boolean) => void
  /** `null`: closed by us, by `disconnect()` or because the server was silent. */
  'connection-close': (event: CloseEvent | null, provider: Provider) => void
  'connection-error': (event: Event, provider: Provider) => void
  /** Closed for good: the server denied access. */
  closed: (event: { code: number; reason: string }, provider: Provider) => void
  /** Every edit made so far is saved, as far as `ackLevel` goes. */
  saved: () => void
  /** How many edits are not saved. */
  'unsaved-changes': (count: number) => void
  'sync-status': (status: SyncStatus) => void
  scope: (scope: Scope) => void
  authenticated: (event: { scope: Scope }) => void
  'authentication-failed': (event: { reason: string }) => void
  /** Milliseconds a message took to the server and back: on every connection, and with every heartbeat. */
  rtt: (milliseconds: number) => void
  /** Where the connection stands, in more detail than `status`. */
  link: (status: LinkStatus) => void
  /** Every message on the wire, with the new `stats`, for logs: a token that is renewed is among them. */
  frame: (frame: Frame) => void
  /** What went wrong without ending anything: a frame that cannot be read, a store that fails, a token that cannot be had. */
  error: (error: ProviderError) => void
}
