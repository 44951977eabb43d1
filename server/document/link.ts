import type { ScriptoriumError } from '../../shared/errors.ts'
import type { CloseCode } from '../../shared/closeCodes.ts'
import type { Protocol } from '../observer.ts'

/** How one session's messages look on the wire. */
export interface Dialect {
  readonly protocol: Protocol
  /** The address as text: equal keys mean equal bytes, so that one encoded frame serves all sessions that share it. */
  readonly key: string
  /** What stands before every message: nothing for y-websocket, the address for Hocuspocus. */
  readonly prefix: Uint8Array
  /** Whether every SyncStep2 and Update is answered by a SyncStatus once it is durable; not of a client that counts (S10). */
  readonly acknowledges: boolean
}

/** A client's socket, as far as a document may know it. */
export interface Link {
  /** Address of the client, for logs. */
  readonly remote: string
  /** True while so much is unsent that nothing more should be queued than what cannot be left out. */
  readonly congested: boolean
  /** Puts prefix and message into one transport frame; pure, so that the result can be shared. */
  encode(prefix: Uint8Array, message: Uint8Array): Uint8Array
  /** Queues an encoded frame. Everything queued in one turn of the event loop leaves in one write. */
  send(frame: Uint8Array): void
  /** Stops reading from the client until every holder has released it. */
  pause(holder: object): void
  resume(holder: object): void
  /** Closes the socket for what the client did. */
  fail(error: ScriptoriumError): void
  close(code: CloseCode, reason: string): void
  /** Asks for a sign of life; false, and the socket is gone, when none came in time. */
  challenge(): Promise<boolean>
}
