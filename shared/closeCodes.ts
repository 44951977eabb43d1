/**
 * WebSocket close codes this server sends, and what a client should make of them. 4400-4499 are final (y-websocket 3.1
 * stops for good), everything else is worth another try; sources in PROTOCOL.md, "Close codes".
 */
export const CloseCode = {
  /** The server has no use for an idle or half-open socket any more. */
  goingAway: 1001,
  /** A text frame: every protocol here is binary. */
  unsupportedData: 1003,
  /** Bytes that cannot be decoded. */
  malformed: 1007,
  /** Decodable, but against a rule or above a limit. */
  violation: 1008,
  /** Above `maxMessageBytes`. */
  tooBig: 1009,
  /** A fault of ours. Nothing acknowledged is affected; come back and resend. */
  internalError: 1011,
  /** The server is shutting down or restarting. */
  restarting: 1012,
  /** The server cannot keep up or cannot store right now. */
  tryAgainLater: 1013,
  /** The operator closed every connection to the document. Come back. */
  disconnected: 4500,
  /** The address names no document. Final. */
  invalidName: 4400,
} as const

export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** RFC 6455: a close frame's payload is at most 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123

/** Cuts a reason to what a close frame can carry, in ASCII, so that the cut never splits a character. */
export function closeReason(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON_BYTES)
}
