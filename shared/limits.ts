/**
 * Every bound this server puts on what others may send or hold. One literal holds the defaults; each says its unit and
 * the attack (or the accident) that it stops. All can be overridden through `createServer({ limits })`.
 */
export interface Limits {
  /** Bytes of one WebSocket message. Stops memory exhaustion by one giant frame (closed 1009 before it is buffered). */
  readonly maxMessageBytes: number
  /** Fragments of one message. Stops endless messages of 1-byte fragments (1008). */
  readonly maxMessageFragments: number
  /** Chunks the frame parser buffers while a frame is incomplete. Stops byte-by-byte dribbling of large frames (1008). */
  readonly maxBufferedChunks: number
  /** Milliseconds until the first frame must have arrived. Stops sockets that are opened and never speak. */
  readonly firstFrameTimeoutMs: number
  /** WebSocket pings per second a client may send, after a burst of five times as many. Stops ping floods (1008). */
  readonly maxPingsPerSecond: number
  /** Open sockets. Stops descriptor and memory exhaustion (HTTP 503 before the upgrade). */
  readonly maxConnections: number
  /** Documents one socket may have open at once. Stops one socket from loading the whole database (denied). */
  readonly maxDocumentsPerConnection: number
  /** Sessions one socket may have of one document. Stops one socket from being a crowd: each may speak for several ids. */
  readonly maxSessionsPerDocument: number
  /** UTF-8 bytes of a document name. Stops names as a memory and key-size attack. */
  readonly maxNameBytes: number
  /** Bytes of a state vector in SyncStep1. Stops the state-vector bomb: 500,000 entries cost 66 ms to decode. */
  readonly maxStateVectorBytes: number
  /** State-vector entries beyond the number of clients the document knows. Same bomb, by count. */
  readonly maxForeignStateVectorEntries: number
  /** Milliseconds of CPU one socket may cause by SyncStep1, as a burst. Stops amplification: 3 bytes in, 4 MB out. */
  readonly syncBurstMs: number
  /** Milliseconds of CPU per second by which that budget refills. */
  readonly syncRefillMsPerSecond: number
  /** Bytes of updates one session may have waiting for a commit before its socket is paused. Stops write floods. */
  readonly maxPendingBytesPerSession: number
  /** Updates one session may have waiting for a commit before its socket is paused. Same flood, by count. */
  readonly maxPendingUpdatesPerSession: number
  /** Bytes of updates all sessions may have waiting while storage is down, per document; then sessions close 1013. */
  readonly maxPendingBytesPerDocument: number
  /** Bytes of updates held because what they build on is unknown, per session. Stops the pending-struct flood (1008). */
  readonly maxHeldBytesPerSession: number
  /** Number of such updates, per session (1008). */
  readonly maxHeldUpdatesPerSession: number
  /** Structs in one update. Stops amplification: a 2-byte struct takes Yjs 64 bytes or more (1008). */
  readonly maxStructsPerUpdate: number
  /**
   * Structs and deleted ranges per second of one socket, after a burst of `maxStructsPerUpdate`; above it the socket is
   * not read from for a while. Same amplification, repeated: a million of them costs Yjs about 300 ms.
   */
  readonly maxStructsPerSecond: number
  /** Nesting of arrays and maps inside one value. Stops stack overflow in decoders (1007). */
  readonly maxValueDepth: number
  /**
   * Bytes of one awareness message beyond what the room's own presence takes (1008). The allowance for the room is
   * there because y-websocket clients send back whatever presence they are told.
   */
  readonly maxAwarenessBytes: number
  /** Bytes of one collaborator's presence, as JSON (entry refused). */
  readonly maxPresenceBytes: number
  /** Nesting of one presence. Stops JSON that parses here and overflows the stack of a reader (entry refused). */
  readonly maxPresenceDepth: number
  /** Client ids one session may speak for. Stops crowds of invented users (entry refused). */
  readonly maxPresencesPerSession: number
  /** Milliseconds without renewal after which a collaborator on a live socket is dropped; clients renew every 15 s. */
  readonly presenceTimeoutMs: number
  /** Milliseconds of silence after which a socket is asked for a sign of life by WebSocket ping. */
  readonly pingAfterMs: number
  /** Milliseconds a socket has to answer that ping; together with `pingAfterMs` below 30 s (promise P4). */
  readonly pongTimeoutMs: number
  /** Milliseconds since we last sent something after which a keep-alive frame is sent; clients leave after 30 s. */
  readonly keepAliveMs: number
  /** Unsent bytes per socket above which it is lagging and gets nothing but one diff once drained (slow readers). */
  readonly highWaterBytes: number
  /** Bytes queued for a socket that is above `highWaterBytes` already. Stops who asks and never reads (1013). */
  readonly maxUnreadBytes: number
  /** Milliseconds a socket may go without taking one more chunk (256 KiB) of what it lags behind; then 1013. */
  readonly lagTimeoutMs: number
  /** Frames with undecodable or impossible presence a session may send before the next one closes it 1007. */
  readonly maxStrikes: number
}

const KIB = 1024
const MIB = 1024 * KIB

export const defaultLimits: Limits = {
  maxMessageBytes: 16 * MIB,
  maxMessageFragments: 1024,
  maxBufferedChunks: 4096,
  firstFrameTimeoutMs: 10_000,
  maxPingsPerSecond: 20,
  maxConnections: 100_000,
  maxDocumentsPerConnection: 256,
  maxSessionsPerDocument: 8,
  maxNameBytes: 512,
  maxStateVectorBytes: MIB,
  maxForeignStateVectorEntries: 10_000,
  syncBurstMs: 500,
  syncRefillMsPerSecond: 50,
  maxPendingBytesPerSession: MIB,
  maxPendingUpdatesPerSession: 4096,
  maxPendingBytesPerDocument: 32 * MIB,
  maxHeldBytesPerSession: MIB,
  maxHeldUpdatesPerSession: 256,
  maxStructsPerUpdate: 1_000_000,
  maxStructsPerSecond: 500_000,
  maxValueDepth: 64,
  maxAwarenessBytes: 64 * KIB,
  maxPresenceBytes: 16 * KIB,
  maxPresenceDepth: 32,
  maxPresencesPerSession: 4,
  presenceTimeoutMs: 30_000,
  pingAfterMs: 16_000,
  pongTimeoutMs: 9_000,
  keepAliveMs: 20_000,
  highWaterBytes: MIB,
  maxUnreadBytes: 4 * MIB,
  lagTimeoutMs: 30_000,
  maxStrikes: 1,
}
