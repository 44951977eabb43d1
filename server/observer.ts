import type { ScriptoriumError, StorageError } from '../shared/errors.ts'

/** The wire protocols one port serves; see shared/PROTOCOL.md. */
export type Protocol = 'y-websocket' | 'hocuspocus'

/**
 * What happens in the server, as facts. An observer watches (metrics, logs, the embedding program): it cannot veto,
 * it is called synchronously and must return quickly, and what it throws is caught where it is called.
 */
export type ServerEvent =
  | { readonly type: 'connected'; readonly protocol: Protocol; readonly remote: string }
  | {
      readonly type: 'disconnected'
      readonly protocol: Protocol | null
      readonly code: number
      readonly remote: string
    }
  /** An upgrade answered with an HTTP error, before any WebSocket existed. */
  | { readonly type: 'refused'; readonly status: number; readonly reason: string; readonly remote: string }
  /** A connection closed for what it sent. */
  | { readonly type: 'rejected'; readonly error: ScriptoriumError; readonly code: number; readonly remote: string }
  /** A frame of a type this server does not know: ignored, for the sake of newer clients. */
  | { readonly type: 'ignored'; readonly protocol: Protocol; readonly messageType: number }
  /** A socket passed its high-water mark and gets nothing until it drains. */
  | { readonly type: 'lagging'; readonly remote: string }
  | { readonly type: 'loaded'; readonly document: string; readonly milliseconds: number; readonly damaged: boolean }
  | {
      readonly type: 'loadFailed'
      readonly document: string
      readonly error: Error
      /** Milliseconds; absent: nobody waits for it any more, or yet. */
      readonly retryIn?: number
    }
  | { readonly type: 'unloaded'; readonly document: string }
  | {
      readonly type: 'committed'
      readonly document: string
      /** Client updates merged into this one record. */
      readonly updates: number
      /** Size of the record. */
      readonly bytes: number
      /** From the oldest update's arrival to durability. */
      readonly milliseconds: number
      readonly recipients: number
    }
  | { readonly type: 'commitFailed'; readonly document: string; readonly error: Error; readonly retryIn: number }
  | {
      readonly type: 'compacted'
      readonly document: string
      readonly bytes: number
      readonly result: 'done' | 'superseded'
    }
  | { readonly type: 'compactionFailed'; readonly document: string; readonly error: Error }
  /** Yjs refused or only half understood what validation had let through: the document was reloaded, the sender closed. */
  | { readonly type: 'poisoned'; readonly document: string; readonly error: Error }
  /** Another node's records were taken in. */
  | {
      readonly type: 'replicated'
      readonly document: string
      readonly entries: number
      readonly recipients: number
    }
  /** The thread to the other nodes was lost, or the storage lost something: the log is read again and compared. */
  | { readonly type: 'stale'; readonly document: string }
  /** That has been done. Bytes the storage had lost and was given again, and bytes we had not heard of. */
  | { readonly type: 'reconciled'; readonly document: string; readonly restored: number; readonly received: number }
  /** What another node is said to have said could not be read: ignored. */
  | { readonly type: 'badMessage'; readonly document: string; readonly kind: string }
  /** What came on a document's channel was not written by a node of this version: ignored. */
  | { readonly type: 'poisonMessage'; readonly document: string }
  /** Unreadable data was found in storage and copied aside; `document` is null when it is a whole file. */
  | { readonly type: 'quarantined'; readonly document: string | null; readonly file: string; readonly reason: string }
  /** The engine changed between working and not working. */
  | { readonly type: 'storageFailing'; readonly error: StorageError }
  | { readonly type: 'storageRecovered' }

export interface Observer {
  observe(event: ServerEvent): void
}
