/**
 * What "saved" means on the current connection.
 * `durable`: on the server's disk; a crash of the server cannot lose it. `received`: the server has applied it; it may
 * keep it in memory only. `none`: not connected yet, so nothing is known.
 */
export type AckLevel = 'durable' | 'received' | 'none'

export type Scope = 'read-write' | 'readonly'

/** Where the connection stands. Times are on the scale of `performance.now()`. */
export type LinkStatus =
  /** Not wanted: `connect: false`, or after `disconnect()`. */
  | { readonly name: 'offline' }
  /** `attempt`: how many have failed in a row before this one. */
  | { readonly name: 'connecting'; readonly attempt: number }
  | { readonly name: 'open'; readonly since: number }
  /** The next attempt begins at `retryAt`, or at once when the browser says that it is online again. */
  | { readonly name: 'waiting'; readonly attempt: number; readonly retryAt: number }
  /** The server said no for good; only `connect()` tries again. */
  | { readonly name: 'denied'; readonly code: number; readonly reason: string }
  /** After `destroy()`. */
  | { readonly name: 'closed' }

/** The shape of y-websocket 4's `syncStatus`. */
export interface SyncStatus {
  readonly connected: boolean
  readonly receivedInitialSync: boolean
  readonly localUpdatesSynced: boolean
  /** Milliseconds since the oldest unsaved edit; 0 when all are saved. */
  readonly localUpdatesAge: number
  /** Milliseconds since the server was last heard; 0 before. */
  readonly lastMessageAge: number
  /** Green: connected and all saved. Yellow: connected, something is under way. Red: not connected, or stuck for 10 s. */
  readonly status: 'green' | 'yellow' | 'red'
}

/** Counted since the provider was made; with `multiplex`, frames and bytes are those of this document. */
export interface Stats {
  readonly bytesIn: number
  readonly bytesOut: number
  readonly framesIn: number
  readonly framesOut: number
  /** Connections that opened, after the first. */
  readonly reconnects: number
  /** Milliseconds from the last edit that was acknowledged to its acknowledgement; null before the first. */
  readonly savedAfter: number | null
}

/** What was sent or received at once, without transport headers: a message, or to and from our server several. */
export interface Frame {
  readonly direction: 'in' | 'out'
  readonly bytes: Uint8Array
}
